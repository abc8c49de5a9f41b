import { setTimeout as sleep } from 'node:timers/promises';
import { memoryCacheContract } from '@qnsp/kms-core/testing';
import { memoryCache } from '@qnsp/kms-cache';
import { expect, it } from 'vitest';

memoryCacheContract('the memory cache', (maxEntries, maxBytes) =>
  memoryCache({ maxEntries, maxBytes, ttlSeconds: 600 }),
);

it('answers nothing that is older than its time', async () => {
  const cache = memoryCache<{ text: string }>({ maxEntries: 10, maxBytes: 100, ttlSeconds: 0.05 });
  cache.set('a', { text: 'a' }, 1);
  expect(cache.get('a')).toEqual({ text: 'a' });
  await sleep(100);
  expect(cache.get('a')).toBeUndefined();
});
