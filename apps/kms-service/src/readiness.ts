import { KmsError } from '@qnsp/kms-core';

/** Whether the service should get traffic, apart from whether its store answers. */
export interface Readiness {
  /** Why it should not, `undefined` when it should. */
  reason(): string | undefined;
  /**
   * Throws `SEALED` until the self test has passed, because nothing is done with cryptography that was not seen to
   * work, on a restored copy of the database that is not settled, and while a refusal stands.
   */
  requireServing(): void;
  /** What is known about the copy that the database is, `undefined` when it is none. */
  copy(): RestoredCopy | undefined;
  /** The database is a restored copy. */
  restoredCopy(settled: boolean, message: string): void;
  /** The power-on self test ended well. */
  selfTestPassed(): void;
  /** The power-on self test found these algorithms wrong: the service never becomes ready. */
  selfTestFailed(algorithms: readonly string[]): void;
  /** The start is complete: what it makes, such as the first tenant, is there. */
  started(): void;
  /** The service is about to end: it finishes what it has and wants no more. */
  stopping(): void;
}

/** A database that was restored from an older state, and whether it may serve all the same. */
interface RestoredCopy {
  readonly settled: boolean;
  readonly message: string;
}

/** Somebody has to settle the copy and restart the service: a client need not ask again sooner. */
const COPY_RETRY_SECONDS = 30;

/** What seals the service for now may be over soon. */
const REFUSAL_RETRY_SECONDS = 5;

/**
 * Not ready until the self test has passed and the start is complete, and no longer once the service stops.
 *
 * @param refusal why nothing is served for now; asked for every request, where there may be a reason
 */
export function makeReadiness(refusal?: () => string | undefined): Readiness {
  let reason: string | undefined = 'the power-on self test is running';
  let tested = false;
  let started = false;
  let copy: RestoredCopy | undefined;
  return {
    copy: () => copy,
    restoredCopy: (settled, message) => {
      copy = { settled, message };
    },
    requireServing: () => {
      if (copy?.settled === false)
        throw new KmsError('SEALED', copy.message, { retryAfterSeconds: COPY_RETRY_SECONDS });
      if (!tested)
        throw new KmsError('SEALED', `The service is not serving: ${reason ?? 'it was not tested'}.`, {
          retryAfterSeconds: 1,
        });
      const refused = refusal?.();
      if (refused !== undefined) throw new KmsError('SEALED', refused, { retryAfterSeconds: REFUSAL_RETRY_SECONDS });
    },
    reason: () => reason,
    selfTestPassed: () => {
      tested = true;
      reason = started ? undefined : 'the service is starting';
    },
    selfTestFailed: (algorithms) => {
      reason = `the power-on self test failed for ${algorithms.join(', ')}`;
    },
    started: () => {
      started = true;
      if (tested) reason = undefined;
    },
    stopping: () => {
      reason = 'the service is stopping';
    },
  };
}
