import { ALGORITHMS } from '@qnsp/kms-core/algorithms';
import { type KnownAnswer, powerOnSelfTest } from '@qnsp/kms-core/internal';
import type { Logger } from './http/logger.ts';
import type { Readiness } from './readiness.ts';

interface SelfTestOptions {
  /** In FIPS mode only the approved algorithms work at all, so only they are tested. */
  readonly requireFips: boolean;
  /** Other known answers than those of the core; tests give wrong ones. */
  readonly answers?: readonly KnownAnswer[];
}

/**
 * Runs the known answers of every algorithm and lets the service serve only when all of them came out right.
 *
 * @returns whether they did; nothing may be done with cryptography otherwise
 */
export async function runSelfTest(
  readiness: Readiness,
  log: Logger,
  { requireFips, answers }: SelfTestOptions,
): Promise<boolean> {
  const tested = ALGORITHMS.filter((algorithm) => algorithm.fipsApproved || !requireFips);
  const { passed, results } = await powerOnSelfTest(answers, tested);
  if (passed) {
    readiness.selfTestPassed();
    return true;
  }
  const failed = results.filter((result) => !result.passed);
  readiness.selfTestFailed(failed.map((result) => result.algorithm));
  log.fatal({ failed }, 'the power-on self test failed; the service will not serve');
  return false;
}
