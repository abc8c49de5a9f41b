import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { watchEventLoop } from '../src/evidence/event-loop-load.ts';

test('an event loop that is kept from waiting is busy, and one that waits is not, however often it is asked', async () => {
  const load = watchEventLoop();
  expect(load.isBusy()).toBe(false);
  const end = performance.now() + 1000;
  // Work in pieces, as requests are, with hardly any time between them.
  while (performance.now() < end) {
    for (const piece = performance.now(); performance.now() - piece < 20; );
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
  expect([load.isBusy(), load.isBusy()]).toEqual([true, true]);
  await sleep(1000);
  expect([load.isBusy(), load.isBusy()]).toEqual([false, false]);
});
