import { type Kms, operationOfService, removeExpiredTokens, runDueWork } from '@qnsp/kms-core';
import type { Logger } from './http/logger.ts';
import type { RootWork } from './roots/root-work.ts';

export interface ScheduledWorkOptions {
  /** What the roots need, done after what schedules ask for. */
  readonly rootWork: RootWork;
  readonly intervalMs: number;
  /** How long tokens are kept after they expired; `undefined` keeps them forever. */
  readonly tokenRetentionSeconds: number | undefined;
  /** Asked before each turn: a turn that may not work is skipped. */
  readonly mayWork: () => Promise<boolean>;
  readonly log: Logger;
}

/** Runs what schedules ask for, again and again with a pause between, until it is stopped. */
export function startScheduledWork(
  kms: Kms,
  { rootWork, intervalMs, tokenRetentionSeconds, mayWork, log }: ScheduledWorkOptions,
): { stop(): Promise<void> } {
  const stopping = new AbortController();
  let keptTokens = 0;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();

  const work = async () => {
    await kms.counter.flush(kms.store);
    const { rotated, destroyed, failed } = await runDueWork(operationOfService(kms, 'runDueWork'), stopping.signal);
    if (rotated + destroyed > 0) log.info({ rotated, destroyed }, 'scheduled work done');
    for (const { key, error } of failed)
      log.error({ tenantId: key.tenantId, keyId: key.keyId, err: error }, 'scheduled work on a key failed');
    try {
      await rootWork.run();
    } finally {
      await removeTokens();
    }
  };
  const removeTokens = async () => {
    if (tokenRetentionSeconds === undefined || stopping.signal.aborted) return;
    const { removed, kept } = await removeExpiredTokens(
      operationOfService(kms, 'removeExpiredTokens'),
      { seconds: tokenRetentionSeconds },
      stopping.signal,
    );
    if (removed > 0) log.info({ removed }, 'removed tokens that expired long ago');
    // Said once, not in each turn.
    if (kept > keptTokens) log.warn({ kept }, 'tokens that expired long ago are kept: their records are not authentic');
    keptTokens = kept;
  };
  const run = async () => {
    try {
      if (await mayWork()) await work();
    } catch (error) {
      // The next turn tries again: what is due stays due in the store.
      log.warn({ err: error }, 'scheduled work could not run');
    }
    schedule();
  };
  const schedule = () => {
    if (stopping.signal.aborted) return;
    timer = setTimeout(() => {
      running = run();
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
