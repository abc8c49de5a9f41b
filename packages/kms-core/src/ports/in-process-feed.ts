import { randomUUID } from 'node:crypto';
import type { ChangeFeed, FeedEvent, Mark } from './change-feed.ts';

/**
 * The feed of a store that only this process writes to: who commits a change announces it before anybody hears of the
 * commit, so everything is always proven.
 */
export class InProcessFeed implements ChangeFeed {
  readonly #listeners = new Set<(event: FeedEvent) => void>();
  #marks = 0;

  subscribe(listener: (event: FeedEvent) => void): () => void {
    this.#listeners.add(listener);
    listener(this.#mark());
    return () => this.#listeners.delete(listener);
  }

  provenAt(): number {
    return performance.now();
  }

  /** Delivers what was just committed. */
  deliver(event: FeedEvent): void {
    const mark = this.#mark();
    for (const listener of this.#listeners) {
      listener(event);
      listener(mark);
    }
  }

  #mark(): Mark {
    this.#marks += 1;
    return { kind: 'mark', mark: randomUUID(), at: this.#marks, own: true };
  }
}
