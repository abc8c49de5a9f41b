import type { KeyEngine } from '../engines/engine.ts';

interface Entry {
  readonly engine: KeyEngine;
  /** The sealed bytes that the engine was made from: other bytes are another engine. */
  readonly sealed: Uint8Array;
  readonly expiresAt: number;
}

export interface EngineCacheOptions {
  /** How many engines are held; 0 holds none. */
  readonly maxEntries: number;
  readonly ttlSeconds: number;
}

/**
 * Engines of unsealed key versions, so that a hot key is unsealed once. Bounded by count, the least recently used goes
 * first, and by age. Key material is held only inside Node's key objects.
 */
export class EngineCache {
  readonly #entries = new Map<string, Entry>();
  readonly #options: EngineCacheOptions;
  readonly #clock: () => number;

  constructor(options: EngineCacheOptions, clock: () => number) {
    this.#options = options;
    this.#clock = clock;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The engine made from exactly these sealed bytes, if it is held and young enough. */
  get(name: string, sealed: Uint8Array): KeyEngine | undefined {
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    this.#entries.delete(name);
    if (entry.expiresAt <= this.#clock() || Buffer.compare(entry.sealed, sealed) !== 0) return undefined;
    this.#entries.set(name, entry);
    return entry.engine;
  }

  set(name: string, sealed: Uint8Array, engine: KeyEngine): void {
    if (this.#options.maxEntries === 0) return;
    this.#entries.delete(name);
    this.#entries.set(name, { engine, sealed, expiresAt: this.#clock() + this.#options.ttlSeconds * 1000 });
    if (this.#entries.size <= this.#options.maxEntries) return;
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.#entries.delete(oldest);
  }

  /** Drops every engine whose name begins with the prefix. */
  forget(prefix: string): void {
    for (const name of this.#entries.keys()) if (name.startsWith(prefix)) this.#entries.delete(name);
  }
}
