const PARENT_POLL_MS = 1000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Aborts, with the reason, when the run is asked to end, loses its parent or exceeds its time. */
export function interruption(limitMs: number): AbortSignal {
  const controller = new AbortController();
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      controller.abort(`Ended by ${signal}.`);
    });
  }
  setTimeout(() => {
    controller.abort(`Ended: the run took longer than ${limitMs / 60_000} minutes.`);
  }, limitMs).unref();
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) controller.abort('Ended: the process that started the run is gone.');
  }, PARENT_POLL_MS).unref();
  return controller.signal;
}
