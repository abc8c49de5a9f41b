import type { MemoryCache } from '@qnsp/kms-core/ports';
import { LRUCache } from 'lru-cache';

/** How exactly the time to live is kept: to look at the clock for each use arms a timer each millisecond. */
const TTL_RESOLUTION_MS = 100;

/** How much a cache in memory holds, and for how many seconds. */
export interface MemoryCacheOptions {
  readonly maxEntries: number;
  readonly maxBytes: number;
  readonly ttlSeconds: number;
}

/**
 * A cache in the memory of this process.
 *
 * @example
 * import { memoryCache } from '@qnsp/kms-cache';
 * const held = memoryCache<{ readonly id: number }>({ maxEntries: 10_000, maxBytes: 1024 * 1024, ttlSeconds: 600 });
 * held.set('seven', { id: 7 }, 100);
 * console.log(held.get('seven')); // { id: 7 }
 */
export function memoryCache<V extends object>(options: MemoryCacheOptions): MemoryCache<V> {
  const held = new LRUCache<string, V>({
    max: options.maxEntries,
    maxSize: options.maxBytes,
    ttl: options.ttlSeconds * 1000,
    ttlResolution: TTL_RESOLUTION_MS,
  });
  return {
    get: held.get.bind(held),
    set: (name, value, bytes) => {
      // Counts in whole bytes, and nothing is free.
      held.set(name, value, { size: Math.max(1, Math.ceil(bytes)) });
    },
    delete: (name) => {
      held.delete(name);
    },
    clear: () => {
      held.clear();
    },
    entries: () => held.entries(),
    get size() {
      return held.size;
    },
    get bytes() {
      return held.calculatedSize;
    },
  };
}
