import { expect, test } from 'vitest';
import { ALGORITHMS } from '../../src/algorithms/registry.ts';
import { importMutants } from './mutated-import.ts';

/** The small sets of SLH-DSA take up to seconds for a signature. */
const TIMEOUT = 120_000;
const RUNS = 200;

const PAIRS = ALGORITHMS.filter(({ form }) => form.kind !== 'secret' && form.kind !== 'x-wing');
/** Making or using one of these takes seconds: `mutated-import.soak.ts` has them, as many more of the others. */
const QUICK = PAIRS.filter(({ id }) => !/rsa-(3|4)|-\d+s-|shake|sha2-(192|256)/.test(id));

test.each(QUICK)(
  'a changed container of $id is refused, or is a valid key',
  async (algorithm) => {
    const refused = await importMutants(algorithm, RUNS, 5);
    expect(refused).toBeGreaterThan(RUNS / 2);
  },
  TIMEOUT,
);
