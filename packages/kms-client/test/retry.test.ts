import { describe, expect, test } from 'vitest';
import { parseRetryAfter, retryDelayMs } from '../src/transport/retry.ts';

const policy = { baseDelayMs: 200, maxDelayMs: 5000 };

describe('the wait before another attempt', () => {
  test('is anything up to a bound that doubles, and has a highest', () => {
    const bounds = [1, 2, 3, 4, 5, 6, 20].map((failures) => retryDelayMs(failures, undefined, policy, () => 1));
    expect(bounds).toEqual([200, 400, 800, 1600, 3200, 5000, 5000]);
    expect(retryDelayMs(3, undefined, policy, () => 0)).toBe(0);
  });

  test('is never shorter than the service asked for, and spreads behind it', () => {
    expect(retryDelayMs(1, 7, policy, () => 0)).toBe(7000);
    expect(retryDelayMs(1, 7, policy, () => 1)).toBe(7200);
  });
});

describe('Retry-After', () => {
  const now = Date.parse('2026-01-31T12:00:00Z');
  test.each([
    ['3', 3],
    ['0', 0],
    ['Sat, 31 Jan 2026 12:00:09 GMT', 9],
    ['Sat, 31 Jan 2026 11:00:00 GMT', 0],
    ['soon', undefined],
    ['-3', undefined],
    [null, undefined],
  ])('%s is %s seconds', (header, seconds) => {
    expect(parseRetryAfter(header, now)).toBe(seconds);
  });
});
