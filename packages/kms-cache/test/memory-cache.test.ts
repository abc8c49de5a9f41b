import { setTimeout as sleep } from 'node:timers/promises';
import { declareContract, memoryCacheContract } from '@qnsp/kms-core/testing';
import { memoryCache } from '@qnsp/kms-cache';
import * as vitest from 'vitest';
import { expect, it } from 'vitest';

declareContract(
  memoryCacheContract('the memory cache', (maxEntries, maxBytes) =>
    memoryCache({ maxEntries, maxBytes, ttlSeconds: 600 }),
  ),
  vitest,
);

it('answers nothing that is older than its time', async () => {
  const cache = memoryCache<{ text: string }>({ maxEntries: 10, maxBytes: 100, ttlSeconds: 0.05 });
  cache.set('a', { text: 'a' }, 1);
  expect(cache.get('a')).toEqual({ text: 'a' });
  await sleep(100);
  expect(cache.get('a')).toBeUndefined();
});
