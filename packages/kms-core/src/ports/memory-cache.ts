/**
 * Holds values in the memory of this process: bounded by number, by bytes and by age, the least recently used goes
 * first. Knows nothing of whether a value still holds true.
 *
 * Contract (`testing/memory-cache-contract.ts`).
 */
export interface MemoryCache<V extends object> {
  /** The value, if it is held and young enough. */
  get(name: string): V | undefined;
  /** @param bytes roughly what the value takes in memory; one that takes more than the whole bound is not held */
  set(name: string, value: V, bytes: number): void;
  delete(name: string): void;
  clear(): void;
  /** Everything that is held, in no particular order. */
  entries(): Iterable<readonly [name: string, value: V]>;
  readonly size: number;
  /** The sum of the bytes of all values. */
  readonly bytes: number;
}
