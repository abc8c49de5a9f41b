import { afterEach, describe, expect, test, vi } from 'vitest';
import { inBackground } from '../src/envelope/background-timer.ts';

afterEach(() => {
  vi.unstubAllGlobals();
});

describe('a timer in the background', () => {
  test('keeps no process of Node.js alive', () => {
    const before = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    inBackground(60_000, () => undefined);
    expect(process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout')).toHaveLength(before);
  });

  test('keeps no process of Deno alive, where timers are numbers', () => {
    const unrefTimer = vi.fn<(timer: number) => void>();
    vi.stubGlobal('setTimeout', () => 7);
    vi.stubGlobal('Deno', { unrefTimer });
    inBackground(60_000, () => undefined);
    expect(unrefTimer.mock.calls).toEqual([[7]]);
  });

  test('is there in a browser as well, and never longer than timers can be', () => {
    const setTimeout = vi.fn<(work: () => void, delayMs: number) => number>(() => 7);
    vi.stubGlobal('setTimeout', setTimeout);
    const work = () => undefined;
    inBackground(2 ** 40, work);
    expect(setTimeout.mock.calls).toEqual([[work, 2 ** 31 - 1]]);
  });
});
