import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DatabaseClock } from '../src/postgres/database-clock.ts';

const AT = Date.parse('2026-01-01T12:00:00Z');
const HOUR_MS = 3_600_000;

describe('the clock of the database', () => {
  let clock: DatabaseClock;

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['performance', 'Date'], now: AT });
    clock = new DatabaseClock();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** An answer with the right time, on a way that takes so long each way. */
  function answer(aheadMs: number, there: number, back: number): void {
    const askedAt = performance.now();
    vi.advanceTimersByTime(there);
    const said = Date.now() + aheadMs;
    vi.advanceTimersByTime(back);
    clock.observe(askedAt, performance.now(), said);
  }

  it('is the clock of this machine until it has told its time', () => {
    expect([clock.now(), clock.machineAheadMs(), clock.measuredSkewMs]).toEqual([AT, undefined, 0]);
  });

  it.each([3 * HOUR_MS, -3 * HOUR_MS, 0])('is known within the time that the answer took: %i ms ahead', (ahead) => {
    answer(ahead, 10, 10);
    expect(Math.abs(clock.now() - (Date.now() + ahead))).toBeLessThanOrEqual(11);
    expect(Math.abs(clock.measuredSkewMs + ahead)).toBeLessThanOrEqual(11);
  });

  it('goes on when the clock of this machine is set, which only shows how far off that is', () => {
    answer(0, 1, 1);
    const before = clock.now();
    vi.setSystemTime(AT - 3 * HOUR_MS);
    vi.advanceTimersByTime(500);
    expect(clock.now() - before).toBe(500);
    expect(clock.machineAheadMs()).toBeLessThan(-HOUR_MS);
  });

  it('is not moved by answers that were slow, and is by each that shows it wrong', () => {
    answer(5000, 1, 1);
    const known = clock.now() - Date.now();
    for (const [there, back] of [
      [0, 900],
      [900, 0],
      [450, 450],
    ] as const) {
      answer(5000, there, back);
      expect(clock.now() - Date.now()).toBe(known);
    }
    answer(65_000, 1, 1);
    expect(Math.abs(clock.now() - Date.now() - 65_000)).toBeLessThanOrEqual(3);
    clock.observe(performance.now(), performance.now(), Number.NaN);
    expect(Math.abs(clock.now() - Date.now() - 65_000)).toBeLessThanOrEqual(3);
  });
});
