import type { KeyId, TenantId } from '../model/identifiers.ts';
import type { ChangeFeed, FeedEvent } from '../ports/change-feed.ts';

/** How much of the past is remembered; what is older is as if it were unknown. */
export interface HistoryLimits {
  readonly marks: number;
  readonly changes: number;
}

const LIMITS: HistoryLimits = { marks: 30_000, changes: 100_000 };

/**
 * Remembers the order of marks and changes that a feed delivered, and so knows whether a key has changed since a mark
 * that another node saw: all nodes see the same order. A mark from before this node listened, or from before a gap, is
 * unknown, and nothing can be said about it.
 */
export class ChangeHistory {
  readonly #limits: HistoryLimits;
  /** Where in the order each mark stands; the oldest first. */
  readonly #marks = new Map<string, number>();
  /** Where in the order a key or a tenant changed last; the one that changed longest ago first. */
  readonly #changes = new Map<string, number>();
  #position = 0;
  /** Up to here changes were forgotten: nothing is known about marks before it. */
  #horizon = 0;
  #latest: string | undefined;

  constructor(feed: ChangeFeed, limits: HistoryLimits = LIMITS) {
    this.#limits = limits;
    feed.subscribe((event) => this.#onEvent(event));
  }

  /** The last mark that was delivered: a read that begins now sees every change before it. */
  get latest(): string | undefined {
    return this.#latest;
  }

  /** Whether nothing that was delivered after the mark concerns the key; `false` when that is not known. */
  unchangedSince(mark: string, tenantId: TenantId, keyId: KeyId): boolean {
    const at = this.#marks.get(mark);
    if (at === undefined || at < this.#horizon) return false;
    return (this.#changes.get(keyId) ?? 0) < at && (this.#changes.get(tenantId) ?? 0) < at;
  }

  #onEvent(event: FeedEvent): void {
    this.#position += 1;
    if (event.kind === 'gap') this.#forgetAll();
    else if (event.kind === 'mark') this.#note(event.mark);
    else if (event.kind === 'key') this.#changed(event.keyId);
    else if (event.kind === 'tenant') this.#changed(event.tenantId);
  }

  #note(mark: string): void {
    this.#latest = mark;
    this.#marks.set(mark, this.#position);
    if (this.#marks.size > this.#limits.marks) deleteOldest(this.#marks);
  }

  #changed(name: string): void {
    // Deleted first, so that the order of the map is that of the last changes.
    this.#changes.delete(name);
    this.#changes.set(name, this.#position);
    if (this.#changes.size > this.#limits.changes) this.#horizon = deleteOldest(this.#changes) ?? this.#horizon;
  }

  #forgetAll(): void {
    this.#latest = undefined;
    this.#marks.clear();
    this.#changes.clear();
  }
}

function deleteOldest(map: Map<string, number>): number | undefined {
  const [oldest] = map;
  if (oldest === undefined) return undefined;
  map.delete(oldest[0]);
  return oldest[1];
}
