import { KmsError } from '@qnsp/kms-core';
import type { ChangeFeed } from '@qnsp/kms-core/ports';
import type { Logger } from '../http/logger.ts';

/**
 * Checks the place of the database whenever notices were interrupted, as by a failover, or somebody says that it has
 * changed. One check at a time, followed by another one if it was requested in the meantime.
 *
 * @param look throws when the database does not answer; the next interruption, or the next turn of other work, looks again
 */
export function watchPlace(feed: ChangeFeed, look: () => Promise<unknown>, log: Logger): { stop(): Promise<void> } {
  let wanted = false;
  let looking: Promise<void> | undefined;
  const stopping = new AbortController();
  const run = async () => {
    while (wanted && !stopping.signal.aborted) {
      wanted = false;
      try {
        await look();
      } catch (error) {
        if (!KmsError.is(error)) throw error;
        log.debug({ err: error }, 'the place of the database could not be checked');
      }
    }
    looking = undefined;
  };
  let first = true;
  const unsubscribe = feed.subscribe((event) => {
    if (event.kind !== 'gap') return;
    // Every subscription begins with one.
    if (first) {
      first = false;
      return;
    }
    wanted = true;
    looking ??= run();
  });
  return {
    stop: async () => {
      stopping.abort();
      unsubscribe();
      await looking;
    },
  };
}
