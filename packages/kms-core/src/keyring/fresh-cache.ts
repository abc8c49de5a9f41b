import { TRUST_MS } from '../ports/change-feed.ts';
import { KmsError } from '../errors/kms-error.ts';
import type { ChangeFeed } from '../ports/change-feed.ts';
import type { MemoryCache } from '../ports/memory-cache.ts';

/** A store that is too slow this many times in a row counts as unavailable. */
const ATTEMPTS = 3;
/**
 * After this many milliseconds no further attempt begins: the caller must get an answer, even if that answer is a
 * failure.
 */
const LIMIT_MS = 3000;

interface Flight<V> {
  readonly name: string;
  readonly reading: Promise<V>;
}

/** What a cache did since the process began. */
export interface CacheCounts {
  hits: number;
  misses: number;
  /** Reads of what may have been held, but could not be trusted. */
  untrusted: number;
}

/**
 * Values that were read from the store, used for as long as the change feed proves that none of them changed.
 *
 * Two rules keep the bound. A held value is used only while everything that was committed until {@link TRUST_MS} ago is
 * known to be delivered. A value that is being read is used only when its read began no longer ago than that, and it is
 * held only if no change of it was delivered in the meantime: `forget` detaches the read from the name, so that later
 * callers read again.
 */
export class FreshCache<V extends object> {
  readonly counts: CacheCounts = { hits: 0, misses: 0, untrusted: 0 };
  readonly #feed: ChangeFeed;
  readonly #memory: MemoryCache<V> | undefined;
  readonly #bytesOf: (value: V) => number;
  readonly #monotonic: () => number;
  readonly #flights = new Map<string, Flight<V>>();

  /**
   * @param memory where values are held; if absent, each call reads for itself
   * @param bytesOf roughly what a value takes in memory
   */
  constructor(
    feed: ChangeFeed,
    memory: MemoryCache<V> | undefined,
    bytesOf: (value: V) => number,
    monotonic: () => number = performance.now.bind(performance),
  ) {
    this.#feed = feed;
    this.#memory = memory;
    this.#bytesOf = bytesOf;
    this.#monotonic = monotonic;
  }

  /** What is held in memory, for its numbers. */
  get memory(): MemoryCache<V> | undefined {
    return this.#memory;
  }

  /** Whether what is held may be used now. */
  isTrusted(): boolean {
    return this.#monotonic() - this.#feed.provenAt() <= TRUST_MS;
  }

  /** The value, if it is held and may be used now. */
  get(name: string): V | undefined {
    if (this.#memory === undefined) return undefined;
    if (!this.isTrusted()) {
      this.counts.untrusted += 1;
      return undefined;
    }
    const held = this.#memory.get(name);
    if (held === undefined) this.counts.misses += 1;
    else this.counts.hits += 1;
    return held;
  }

  /** What `get` would find. Counts nothing. */
  peek(name: string): V | undefined {
    return this.isTrusted() ? this.#memory?.get(name) : undefined;
  }

  /** Counts what `get` just returned as if it were not held: it was of no use to the caller. */
  countAsMiss(): void {
    this.counts.hits -= 1;
    this.counts.misses += 1;
  }

  /**
   * Reads a value and holds it. A caller that asks for the same while it is being read gets the same answer.
   *
   * @param name what `get` finds it by
   * @param owner who may share the answer of a read, as a part of its name
   * @throws KmsError `STORE_UNAVAILABLE` when the store answers later than the answer could be trusted; or what `read` throws
   */
  load(name: string, owner: string, read: () => Promise<V>): Promise<V> {
    const { reading } = this.#memory === undefined ? this.#take(name, read) : this.#join(name, owner, read);
    return reading;
  }

  /** Drops what is held under a name, and what is being read for it. */
  forget(name: string): void {
    this.#memory?.delete(name);
    for (const [key, flight] of this.#flights) if (flight.name === name) this.#flights.delete(key);
  }

  /** Drops what a test accepts, and everything that is being read: nobody knows yet what that will be. */
  forgetWhere(test: (value: V) => boolean): void {
    for (const [name, value] of this.#memory?.entries() ?? []) if (test(value)) this.#memory?.delete(name);
    this.#flights.clear();
  }

  forgetAll(): void {
    this.#memory?.clear();
    this.#flights.clear();
  }

  #join(name: string, owner: string, read: () => Promise<V>): Flight<V> {
    const key = `${owner} ${name}`;
    const underWay = this.#flights.get(key);
    if (underWay !== undefined) return underWay;
    const flight = this.#take(name, read);
    this.#flights.set(key, flight);
    // The reader gets the failure; here it only ends the flight.
    flight.reading.then(
      (value) => this.#land(key, flight, value),
      () => this.#land(key, flight, undefined),
    );
    return flight;
  }

  #land(key: string, flight: Flight<V>, value: V | undefined): void {
    // A flight that was parted from its name may carry what has changed since.
    if (this.#flights.get(key) !== flight) return;
    this.#flights.delete(key);
    if (value !== undefined) this.#memory?.set(flight.name, value, this.#bytesOf(value));
  }

  #take(name: string, read: () => Promise<V>): Flight<V> {
    return { name, reading: this.#readInTime(read) };
  }

  async #readInTime(read: () => Promise<V>): Promise<V> {
    const first = this.#monotonic();
    let begun = first;
    for (let attempt = 0; attempt < ATTEMPTS && begun - first < LIMIT_MS; attempt += 1) {
      const value = await read();
      const ended = this.#monotonic();
      // This bounds how old the value can be. A process that was halted in between finds out here.
      if (ended - begun <= TRUST_MS) return value;
      begun = ended;
    }
    throw new KmsError('STORE_UNAVAILABLE', 'The database answers too slowly to be relied on. Try again.', {
      retryAfterSeconds: 1,
    });
  }
}
