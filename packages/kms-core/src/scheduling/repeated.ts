/** Work that is done again and again, until it is stopped. */
export interface Repeated {
  /** Ends when no work is running any more. */
  stop(): Promise<void>;
}

/**
 * Does some work again and again with a pause between, the first time after one. Does not keep the process alive.
 *
 * @param work must not reject; the signal says that it is being stopped
 */
export function repeat(intervalMs: number, work: (stopping: AbortSignal) => Promise<void>): Repeated {
  const stopping = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  const schedule = () => {
    if (stopping.signal.aborted) return;
    timer = setTimeout(() => {
      running = work(stopping.signal).then(schedule);
    }, intervalMs);
    timer.unref();
  };
  schedule();
  return {
    stop: () => {
      stopping.abort();
      clearTimeout(timer);
      return running;
    },
  };
}
