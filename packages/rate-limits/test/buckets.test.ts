import { expect, test } from 'vitest';
import { Buckets } from '../src/buckets.ts';

const SIZE_MS = 1000;

test('no more buckets are remembered than there is room for', () => {
  const buckets = new Buckets(50);
  for (let index = 0; index < 10_000; index += 1) buckets.of(`tenant ${index}`, 0).take(SIZE_MS, 0);
  expect(buckets.size).toBe(50);
});

test('full ones are forgotten, and what is missing in another one is not', () => {
  const buckets = new Buckets(10);
  buckets.of('greedy', 0).take(10 * SIZE_MS, 0);
  for (let index = 0; index < 1000; index += 1) {
    const now = index * 2;
    buckets.of(`tenant ${index}`, now).take(1, now);
  }
  expect(buckets.size).toBe(10);
  expect(buckets.of('greedy', 2000).missing(2000)).toBe(10 * SIZE_MS - 2000);
});

test('where none is full, one goes of which little is missing', () => {
  const buckets = new Buckets(3);
  buckets.of('much', 0).take(900, 0);
  buckets.of('little', 0).take(10, 0);
  buckets.of('some', 0).take(500, 0);
  buckets.of('new', 0).take(700, 0);
  expect(['much', 'some', 'new'].map((name) => buckets.of(name, 0).missing(0))).toEqual([900, 500, 700]);
  expect(buckets.size).toBe(3);
});
