import { ALGORITHMS } from '../algorithms/registry.ts';
import { KmsError } from '../errors/kms-error.ts';
import { KNOWN_ANSWERS } from '../self-test/known-answers.ts';
import { powerOnSelfTest } from '../self-test/power-on-self-test.ts';

/** Throws `SEALED` unless every algorithm that may be used gives its known answers in this process. */
export async function requireSelfTest(requireFips: boolean): Promise<void> {
  const tested = ALGORITHMS.filter((algorithm) => algorithm.fipsApproved || !requireFips);
  const { passed, results } = await powerOnSelfTest(KNOWN_ANSWERS, tested);
  if (passed) return;
  const failed = results.filter((result) => !result.passed).map((result) => result.algorithm);
  throw new KmsError(
    'SEALED',
    `The self test of ${failed.join(', ')} failed: this Node.js does not compute them right.`,
    {
      details: { failed },
    },
  );
}
