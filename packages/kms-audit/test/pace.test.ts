import { expect, test } from 'vitest';
import { Pace } from '../src/pace.ts';

test('a process that has time seals and delivers without pauses', () => {
  const pace = new Pace({ isBusy: () => false, maxBacklog: 1_000_000 });
  expect(pace.pauseAfter(100)).toBe(0);
});

test('in a busy one the pauses grow with the batch, and shrink with what waits', () => {
  const pace = new Pace({ isBusy: () => true, maxBacklog: 1_000_000 });
  const [small, large] = [pace.pauseAfter(1), pace.pauseAfter(100)];
  // A hundred events take about ten milliseconds.
  expect(large).toBeGreaterThan(50);
  expect(large).toBeLessThan(200);
  expect(small).toBeGreaterThan(0);
  expect(small).toBeLessThan(large / 4);
  pace.setBacklog(25_000);
  expect(pace.pauseAfter(100)).toBeCloseTo(large / 2);
  pace.setBacklog(50_000);
  expect(pace.pauseAfter(100)).toBe(0);
  pace.setBacklog(900_000);
  expect(pace.pauseAfter(100)).toBe(0);
});

test('where little may wait, pauses end earlier', () => {
  const pace = new Pace({ isBusy: () => true, maxBacklog: 100 });
  pace.setBacklog(24);
  expect(pace.pauseAfter(1)).toBeGreaterThan(0);
  pace.setBacklog(25);
  expect(pace.pauseAfter(1)).toBe(0);
});
