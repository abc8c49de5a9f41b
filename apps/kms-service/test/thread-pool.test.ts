import { availableParallelism } from 'node:os';
import { expect, it } from 'vitest';
import { poolOf } from '../src/thread-pool.ts';

it.each([
  { workers: 1, available: 2, processors: 2 },
  { workers: 2, available: 2, processors: 1 },
  { workers: 3, available: 8, processors: 2 },
  { workers: 4, available: 2, processors: 1 },
])('each of $workers workers has its part of $available processors', ({ workers, available, processors }) => {
  expect(poolOf({ workers, poolThreads: 7 }, available)).toEqual({ threads: 7, processors });
});

it('a process without siblings has all processors that it may use', () => {
  expect(poolOf({ workers: 1, poolThreads: 4 }).processors).toBe(availableParallelism());
});
