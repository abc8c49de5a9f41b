import assert from 'node:assert/strict';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { type Contract, contractOf } from './contract.ts';
import type { SharedCache } from '../ports/shared-cache.ts';
import { someBytes } from './store-samples.ts';

/** What a call may take. */
const FEW_MS = 50;
const LIMIT_MS = 10_000;

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
          await kept(opened().cache, 'same', bytes);
        }
      });

      it('answers nothing for what was never put, and for what is older than its time', async () => {
        assert.equal(await opened().cache.get('never'), undefined);
        await kept(opened().cache, 'short', someBytes(8));
        await sleep(1100);
        assert.equal(await opened().cache.get('short'), undefined);
      });

      it('does not make anybody wait', async () => {
        let isLate = false;
        // A process that the machine lets wait finds the time over as late as it finds the answers.
        const over = sleep(FEW_MS)
          .then(() => nextTurn())
          .then(() => {
            isLate = true;
          });
        await Promise.all(Array.from({ length: 100 }, (_, index) => opened().cache.get(`name ${index}`)));
        assert.equal(isLate, false);
        await over;
      });
    },
  );
}

/** Puts bytes until the cache answers them: nobody hears of a put that it leaves out, as it does on a busy machine. */
async function kept(cache: SharedCache, name: string, bytes: Uint8Array): Promise<void> {
  const until = performance.now() + LIMIT_MS;
  const isThere = async () => Buffer.compare((await cache.get(name)) ?? Buffer.of(), bytes) === 0;
  for (cache.put(name, bytes); !(await isThere()); cache.put(name, bytes)) {
    assert.ok(performance.now() < until, 'what was put is not there');
    await sleep(20);
  }
}
