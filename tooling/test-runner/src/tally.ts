import { z } from 'zod';

const Report = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  testResults: z.array(z.object({ status: z.string(), assertionResults: z.array(z.object({ status: z.string() })) })),
});

export interface Tally {
  readonly passed: number;
  readonly failed: number;
}

/** Counts a report; `endedWell` is whether the run that wrote it, if it wrote one, says that all went well. */
export function tally(report: string | undefined, endedWell: boolean): Tally {
  if (report === undefined) return { passed: 0, failed: 1 };
  const { numPassedTests: passed, numFailedTests, testResults } = Report.parse(JSON.parse(report));
  // A file that could not be loaded has no test to blame.
  const brokenFiles = testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  );
  const failed = numFailedTests + brokenFiles.length;
  const isAllWell = endedWell && passed > 0;
  return { passed, failed: failed === 0 && !isAllWell ? 1 : failed };
}
