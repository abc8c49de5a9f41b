import { expect, test } from 'vitest';
import { costOfWork, type KeyWork } from '../src/algorithms/costs.ts';
import { ALGORITHMS } from '../src/algorithms/registry.ts';
import { measuredCosts } from './measured-costs.ts';

/** How far a stated cost may be from a measured one, either way: processors differ in what they have instructions for. */
const FACTOR = 4;
/** Whatever else the machine does comes on top of what is measured, and mostly not three times. */
const ATTEMPTS = 3;

test.each(ALGORITHMS)('$id costs what is stated, to within a factor', { timeout: 600_000 }, async (algorithm) => {
  const least = new Map<KeyWork, number>();
  const off = () =>
    [...least].flatMap(([work, seals]) => {
      const stated = costOfWork(algorithm, work) ?? NaN;
      // What is cheaper than a seal costs as much as one.
      const ratio = stated / Math.max(1, seals);
      return ratio >= 1 / FACTOR && ratio <= FACTOR ? [] : [{ work, stated, measured: seals }];
    });
  for (let attempt = 0; attempt === 0 || (attempt < ATTEMPTS && off().length > 0); attempt += 1) {
    for (const [work, seals] of Object.entries(await measuredCosts(algorithm)) as [KeyWork, number][])
      least.set(work, Math.min(least.get(work) ?? Infinity, seals));
  }
  expect(off()).toEqual([]);
});
