import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 25;

/** Resolves when `isReady` holds; rejects with what `describeFailure` says once the time is up or `hasFailed` holds. */
export async function waitUntil(options: {
  readonly isReady: () => Promise<boolean>;
  readonly hasFailed: () => boolean;
  readonly describeFailure: () => string;
  readonly limitMs: number;
}): Promise<void> {
  const deadline = Date.now() + options.limitMs;
  while (!(await options.isReady())) {
    if (options.hasFailed() || Date.now() > deadline) throw new Error(options.describeFailure());
    await sleep(POLL_MS);
  }
}
