import type { Store } from '../ports/store.ts';

const HOUR_MS = 60 * 60_000;
/** Further ones are not noted until these are written. */
const MOST_NOTED = 10_000;
const WRITTEN_AT_ONCE = 500;

/** Until when the use of one token is noted: the end of that hour, in milliseconds since 1970. */
export interface NotedUse {
  until: number;
}

/**
 * Notes in which hour each token was used: in memory, and written to the store from time to time. It may lose some: a node that is
 * killed forgets what it has not written yet. The path of a request only compares two numbers, but for the first use in an hour.
 */
export class TokenUses {
  readonly #pending = new Map<string, number>();

  /** A token is used, for the first time in this hour as far as is noted. */
  note(tokenId: string, noted: NotedUse, now: number): void {
    const hour = Math.floor(now / HOUR_MS);
    noted.until = (hour + 1) * HOUR_MS;
    if (this.#pending.size < MOST_NOTED || this.#pending.has(tokenId)) this.#pending.set(tokenId, hour);
  }

  /** Writes everything to the store. What cannot be written is kept for the next time. */
  async flush(store: Pick<Store, 'transact'>): Promise<void> {
    const noted = [...this.#pending];
    for (let at = 0; at < noted.length; at += WRITTEN_AT_ONCE) {
      const some = noted.slice(at, at + WRITTEN_AT_ONCE);
      const uses = new Map(some.map(([tokenId, hour]) => [tokenId, new Date(hour * HOUR_MS)]));
      await store.transact({ kind: 'system' }, (unit) => unit.tokens.recordUses(uses));
      for (const [tokenId, hour] of some) if (this.#pending.get(tokenId) === hour) this.#pending.delete(tokenId);
    }
  }
}
