import type { MemoryCache } from '../ports/memory-cache.ts';

/** A memory cache for tests, bounded by number and bytes; its values do not age. */
export class MapCache<V extends object> implements MemoryCache<V> {
  readonly #held = new Map<string, { readonly value: V; readonly bytes: number }>();
  readonly #maxEntries: number;
  readonly #maxBytes: number;

  constructor(maxEntries = 100, maxBytes = Infinity) {
    this.#maxEntries = maxEntries;
    this.#maxBytes = maxBytes;
  }

  get(name: string): V | undefined {
    const held = this.#held.get(name);
    if (held === undefined) return undefined;
    this.#held.delete(name);
    this.#held.set(name, held);
    return held.value;
  }

  /** Holds a value, of which the caller says how many bytes it takes. */
  set(name: string, value: V, bytes: number): void {
    this.#held.delete(name);
    if (bytes > this.#maxBytes) return;
    this.#held.set(name, { value, bytes });
    while (this.#held.size > this.#maxEntries || this.bytes > this.#maxBytes) {
      const [oldest] = this.#held.keys();
      if (oldest !== undefined) this.#held.delete(oldest);
    }
  }

  /** Lets one value go. */
  delete(name: string): void {
    this.#held.delete(name);
  }

  /** Lets every value go. */
  clear(): void {
    this.#held.clear();
  }

  *entries(): Iterable<readonly [name: string, value: V]> {
    for (const [name, { value }] of this.#held) yield [name, value];
  }

  get size(): number {
    return this.#held.size;
  }

  get bytes(): number {
    return [...this.#held.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }
}
