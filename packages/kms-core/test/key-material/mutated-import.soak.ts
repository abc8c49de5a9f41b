import { expect, test } from 'vitest';
import { ALGORITHMS } from '../../src/algorithms/registry.ts';
import { importMutants } from './mutated-import.ts';

const TIMEOUT = 30 * 60_000;
const RUNS = 2000;

const PAIRS = ALGORITHMS.filter(({ form }) => form.kind !== 'secret' && form.kind !== 'x-wing');

test.each(PAIRS)(
  'each of 2,000 changed containers of $id is refused, or is a valid key',
  async (algorithm) => {
    const refused = await importMutants(algorithm, RUNS, algorithm.family === 'slh-dsa' ? 2 : 20);
    expect(refused).toBeGreaterThan(RUNS / 2);
  },
  TIMEOUT,
);
