import { describe, expect, it } from 'vitest';
import { tally } from './tally.ts';

type Status = 'passed' | 'failed' | 'skipped';

function report(...files: readonly (readonly [Status, ...Status[]])[]): string {
  const tests = files.flatMap(([, ...statuses]) => statuses);
  return JSON.stringify({
    numPassedTests: tests.filter((status) => status === 'passed').length,
    numFailedTests: tests.filter((status) => status === 'failed').length,
    testResults: files.map(([status, ...statuses]) => ({
      status,
      assertionResults: statuses.map((each) => ({ status: each })),
    })),
  });
}

describe('tally', () => {
  it('sums the tests of all files and leaves out the skipped ones', () => {
    const text = report(['passed', 'passed', 'passed', 'skipped'], ['failed', 'passed', 'failed']);
    expect(tally(text, false)).toEqual({ passed: 3, failed: 1 });
  });

  it('counts a file that did not load as a failure', () => {
    expect(tally(report(['passed', 'passed'], ['failed']), false)).toEqual({ passed: 1, failed: 1 });
  });

  it('counts a file whose tests passed but whose teardown failed as a failure', () => {
    expect(tally(report(['failed', 'passed']), false)).toEqual({ passed: 1, failed: 1 });
  });

  it('takes an error outside of any test as a failure', () => {
    expect(tally(report(['passed', 'passed']), false)).toEqual({ passed: 1, failed: 1 });
  });

  it('takes a run without a test as a failure', () => {
    expect(tally(report(), true)).toEqual({ passed: 0, failed: 1 });
    expect(tally(undefined, true)).toEqual({ passed: 0, failed: 1 });
  });

  it('reports no failure for a run that went well', () => {
    expect(tally(report(['passed', 'passed']), true)).toEqual({ passed: 1, failed: 0 });
  });
});
