const SAMPLE_MS = 200;
const BUSY_UTILIZATION = 0.8;

/** Whether the event loop had little time left lately, no matter who asks and how often. */
export interface EventLoopLoad {
  readonly isBusy: () => boolean;
}

/** Watches the event loop as long as the process lives, and keeps it alive no longer. */
export function watchEventLoop(): EventLoopLoad {
  let before = performance.eventLoopUtilization();
  let busy = false;
  setInterval(() => {
    const now = performance.eventLoopUtilization();
    busy = performance.eventLoopUtilization(now, before).utilization > BUSY_UTILIZATION;
    before = now;
  }, SAMPLE_MS).unref();
  return { isBusy: () => busy };
}
