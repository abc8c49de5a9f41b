import { randomUUID } from 'node:crypto';
import type { ChangeFeed, FeedEvent, StoreChange } from './change-feed.ts';

/**
 * The feed of a store that only this process writes to: who commits a change announces it before anybody hears of the
 * commit, so everything is always proven.
 */
export class InProcessFeed implements ChangeFeed {
  readonly #listeners = new Set<(event: FeedEvent) => void>();

  subscribe(listener: (event: FeedEvent) => void): () => void {
    this.#listeners.add(listener);
    listener({ kind: 'mark', mark: randomUUID() });
    return () => this.#listeners.delete(listener);
  }

  provenAt(): number {
    return performance.now();
  }

  /** Delivers changes that were just committed. */
  announce(changes: readonly StoreChange[]): void {
    if (changes.length === 0) return;
    const mark = { kind: 'mark', mark: randomUUID() } as const;
    for (const listener of this.#listeners) for (const event of [...changes, mark]) listener(event);
  }
}
