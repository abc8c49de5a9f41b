import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Contract, contractOf } from './contract.ts';
import type { SharedCache } from '../ports/shared-cache.ts';
import { someBytes } from './store-samples.ts';

/** What a call may take, with the time that a busy machine needs to wake up. */
const FEW_MS = 50;

/**
 * What every shared cache owes.
 *
 * @param open opens a cache with entries that live for `ttlSeconds`
 */
export function sharedCacheContract(
  name: string,
  open: (ttlSeconds: number) => Promise<{ readonly cache: SharedCache; close(): Promise<void> }>,
): Contract {
  return contractOf(
    name,
    () => open(1),
    ({ it }, opened) => {
      it('answers the bytes that were put last, of any value and length', async () => {
        const every = Uint8Array.from({ length: 256 }, (_, index) => index);
        for (const bytes of [every, someBytes(1), someBytes(100_000)]) {
          opened().cache.put('same', bytes);
          await eventually(async () => Buffer.compare((await opened().cache.get('same')) ?? Buffer.of(), bytes) === 0);
        }
      });

      it('answers nothing for what was never put, and for what is older than its time', async () => {
        assert.equal(await opened().cache.get('never'), undefined);
        opened().cache.put('short', someBytes(8));
        await eventually(async () => (await opened().cache.get('short')) !== undefined);
        await sleep(1100);
        assert.equal(await opened().cache.get('short'), undefined);
      });

      it('does not make anybody wait', async () => {
        const began = performance.now();
        await Promise.all(Array.from({ length: 100 }, (_, index) => opened().cache.get(`name ${index}`)));
        assert.ok(performance.now() - began < FEW_MS);
      });
    },
  );
}

/** Waits for what a put, which nobody waits for, brings about within a second. */
async function eventually(holds: () => Promise<boolean>): Promise<void> {
  const until = performance.now() + 1000;
  while (!(await holds())) {
    assert.ok(performance.now() < until, 'it did not come about within a second');
    await sleep(20);
  }
}
