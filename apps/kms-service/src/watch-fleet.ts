import { KmsError } from '@qnsp/kms-core';
import type { Fleet } from './fleet-settings.ts';
import type { Logger } from './http/logger.ts';
import type { Readiness } from './readiness.ts';

/** How old the number of nodes may be by which limits are divided. */
const PAUSE_MS = 1000;

/**
 * Looks every second how many nodes there are. While the database does not answer, the number stays what it was last; a node that may not
 * serve leaves the database alone.
 */
export function watchFleet(
  fleet: Pick<Fleet, 'renew'>,
  readiness: Pick<Readiness, 'requireServing'>,
  log: Logger,
): { stop(): Promise<void> } {
  let looking: Promise<void> | undefined;
  const timer = setInterval(() => {
    // A database that does not answer is asked once at a time.
    looking ??= look().finally(() => {
      looking = undefined;
    });
  }, PAUSE_MS).unref();
  const look = async () => {
    try {
      readiness.requireServing();
      await fleet.renew();
    } catch (error) {
      if (!KmsError.is(error)) throw error;
      log.debug({ err: error }, 'the nodes of the fleet could not be counted');
    }
  };
  return {
    stop: async () => {
      clearInterval(timer);
      await looking;
    },
  };
}
