import assert from 'node:assert/strict';
import { type Contract, contractOfTrials } from './contract.ts';
import type { MemoryCache } from '../ports/memory-cache.ts';

interface Value {
  readonly text: string;
}

/**
 * What every memory cache owes.
 *
 * @param open makes an empty cache that holds at most this many entries and bytes
 * @example
 * import { brokenRules, MapCache, memoryCacheContract } from '@qnsp/kms-core/testing';
 * const contract = memoryCacheContract('my cache', (maxEntries, maxBytes) => new MapCache(maxEntries, maxBytes));
 * console.log(await brokenRules(contract)); // []
 */
export function memoryCacheContract(
  name: string,
  open: (maxEntries: number, maxBytes: number) => MemoryCache<Value>,
): Contract {
  return contractOfTrials(name, ({ it }) => {
    it('answers the value that was set last, and nothing for what was deleted or cleared', () => {
      const cache = open(10, 1000);
      cache.set('a', { text: 'first' }, 1);
      cache.set('a', { text: 'second' }, 2);
      cache.set('b', { text: 'other' }, 3);
      assert.deepEqual(cache.get('a'), { text: 'second' });
      assert.deepEqual([cache.size, cache.bytes], [2, 5]);
      cache.delete('a');
      assert.equal(cache.get('a'), undefined);
      assert.deepEqual([cache.size, cache.bytes], [1, 3]);
      cache.clear();
      assert.equal(cache.get('b'), undefined);
      assert.deepEqual([cache.size, cache.bytes], [0, 0]);
    });

    it('drops the least recently used entry when there are too many', () => {
      const cache = open(2, 1000);
      cache.set('a', { text: 'a' }, 1);
      cache.set('b', { text: 'b' }, 1);
      cache.get('a');
      cache.set('c', { text: 'c' }, 1);
      assert.deepEqual(
        ['a', 'b', 'c'].map((each) => cache.get(each)?.text),
        ['a', undefined, 'c'],
      );
    });

    it('drops the least recently used entries when they take too many bytes', () => {
      const cache = open(10, 100);
      cache.set('a', { text: 'a' }, 40);
      cache.set('b', { text: 'b' }, 40);
      cache.get('a');
      cache.set('c', { text: 'c' }, 50);
      assert.deepEqual(
        ['a', 'b', 'c'].map((each) => cache.get(each)?.text),
        ['a', undefined, 'c'],
      );
      assert.equal(cache.bytes, 90);
    });

    it('does not hold a value that is larger than the bound, nor an older one in its place', () => {
      const cache = open(10, 100);
      cache.set('a', { text: 'small' }, 10);
      cache.set('b', { text: 'b' }, 10);
      cache.set('a', { text: 'large' }, 101);
      assert.equal(cache.get('a'), undefined);
      assert.deepEqual(cache.get('b'), { text: 'b' });
    });

    it('lets entries be deleted while they are listed', () => {
      const cache = open(10, 1000);
      for (const each of ['a', 'b', 'c', 'd']) cache.set(each, { text: each }, 1);
      for (const [key, value] of cache.entries()) if (value.text < 'c') cache.delete(key);
      assert.deepEqual([...cache.entries()].map(([key]) => key).sort(), ['c', 'd']);
    });
  });
}
