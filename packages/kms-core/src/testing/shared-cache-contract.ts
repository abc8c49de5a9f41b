import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SharedCache } from '../ports/shared-cache.ts';
import { someBytes } from './store-samples.ts';

/** What a call may take, with the time that a busy machine needs to wake up. */
const FEW_MS = 50;

/**
 * What every shared cache owes, as tests.
 *
 * @param open opens a cache with entries that live for `ttlSeconds`
 */
export function sharedCacheContract(
  name: string,
  open: (ttlSeconds: number) => Promise<{ readonly cache: SharedCache; close(): Promise<void> }>,
): void {
  describe(name, () => {
    let opened: Awaited<ReturnType<typeof open>>;

    beforeAll(async () => {
      opened = await open(1);
    });
    afterAll(async () => {
      await opened.close();
    });

    it('answers the bytes that were put last, of any value and length', async () => {
      const every = Uint8Array.from({ length: 256 }, (_, index) => index);
      for (const bytes of [every, someBytes(1), someBytes(100_000)]) {
        opened.cache.put('same', bytes);
        await expect.poll(async () => Buffer.compare((await opened.cache.get('same')) ?? Buffer.of(), bytes)).toBe(0);
      }
    });

    it('answers nothing for what was never put, and for what is older than its time', async () => {
      await expect(opened.cache.get('never')).resolves.toBeUndefined();
      opened.cache.put('short', someBytes(8));
      await expect.poll(() => opened.cache.get('short')).toBeDefined();
      await sleep(1100);
      await expect(opened.cache.get('short')).resolves.toBeUndefined();
    });

    it('does not make anybody wait', async () => {
      const began = performance.now();
      await Promise.all(Array.from({ length: 100 }, (_, index) => opened.cache.get(`name ${index}`)));
      expect(performance.now() - began).toBeLessThan(FEW_MS);
    });
  });
}
