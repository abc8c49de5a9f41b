import { ALGORITHMS, type Algorithm } from '../algorithms/registry.ts';
import { type KnownAnswer, KNOWN_ANSWERS } from './known-answers.ts';
import { runKnownAnswer } from './run-known-answer.ts';

export interface SelfTestResult {
  /** The platform id of the algorithm. */
  readonly algorithm: string;
  readonly passed: boolean;
  /** What went wrong, for logs. */
  readonly reason?: string;
}

export interface SelfTestReport {
  /** Whether every algorithm of the registry passed. The service must not serve otherwise. */
  readonly passed: boolean;
  /** One result for each algorithm, in the order of the registry. */
  readonly results: readonly SelfTestResult[];
}

/**
 * Runs a published known answer of every algorithm through the engine that serves it, in the manner of the pre-operational
 * and conditional self-tests of FIPS 140-3 (ISO/IEC 19790, section 7.10). Never throws: what fails is in the report.
 *
 * @param answers the answers to expect; a test passes corrupted ones
 * @param algorithms what to test; in FIPS mode only the approved ones work at all
 * For example:
 * const { passed, results } = await powerOnSelfTest();
 */
export async function powerOnSelfTest(
  answers: readonly KnownAnswer[] = KNOWN_ANSWERS,
  algorithms: readonly Algorithm[] = ALGORITHMS,
): Promise<SelfTestReport> {
  const results = await Promise.all(algorithms.map((algorithm) => testAlgorithm(algorithm, answers)));
  return { passed: results.every((result) => result.passed), results };
}

async function testAlgorithm(algorithm: Algorithm, answers: readonly KnownAnswer[]): Promise<SelfTestResult> {
  const own = answers.filter((answer) => answer.algorithm === algorithm.id);
  if (own.length === 0) return { algorithm: algorithm.id, passed: false, reason: 'there is no known answer' };
  try {
    for (const answer of own) await runKnownAnswer(algorithm, answer);
    return { algorithm: algorithm.id, passed: true };
  } catch (error) {
    return { algorithm: algorithm.id, passed: false, reason: error instanceof Error ? error.message : String(error) };
  }
}
