import type { KeyId, TenantId } from '../model/identifiers.ts';
import type { ChangeFeed, FeedEvent, Mark } from '../ports/change-feed.ts';

/** How much of the past is remembered; what is older is as if it were unknown. */
export interface HistoryLimits {
  readonly marks: number;
  readonly changes: number;
}

const LIMITS: HistoryLimits = { marks: 30_000, changes: 100_000 };
/** Before every place in the order. */
const NOWHERE = -1;

/**
 * Remembers the order of marks and changes that a feed delivered, and so knows whether a key has changed since a mark
 * that another node saw: all nodes see the same order. A mark from before this node listened, or from before a gap, is
 * unknown, and nothing can be said about it.
 *
 * Somebody who may write to the channel of the feed can repeat a mark after a change, so that what was read before it
 * looks newer. So a mark keeps the position of its first arrival, and one that may have come before this node remembers
 * is unknown for good.
 */
export class ChangeHistory {
  readonly #limits: HistoryLimits;
  /** The position of each mark in the order, with its number; the first to arrive comes first. */
  readonly #marks = new Map<string, { readonly place: number; readonly at: number }>();
  /** Where in the order a key or a tenant changed last; the one that changed longest ago first. */
  readonly #changes = new Map<string, number>();
  #position = 0;
  /** Up to here changes were forgotten: nothing is known about marks before it. */
  #horizon = 0;
  /** Marks up to this one may be known no more. Known as soon as a mark of this node came, since the last gap. */
  #floor: number | undefined;
  #latest: string | undefined;

  constructor(feed: ChangeFeed, limits: HistoryLimits = LIMITS) {
    this.#limits = limits;
    feed.subscribe((event) => this.#onEvent(event));
  }

  /**
   * The last mark of this node that was delivered: a read that begins now sees every change before it. One from
   * somebody else may be forged, with a number that keeps it valid forever.
   */
  get latest(): string | undefined {
    return this.#latest;
  }

  /** Whether nothing that was delivered after the mark concerns the key; `false` when that is not known. */
  unchangedSince(mark: string, tenantId: TenantId, keyId: KeyId): boolean {
    const place = this.#marks.get(mark)?.place ?? NOWHERE;
    if (place < this.#horizon) return false;
    return (this.#changes.get(keyId) ?? 0) < place && (this.#changes.get(tenantId) ?? 0) < place;
  }

  #onEvent(event: FeedEvent): void {
    this.#position += 1;
    if (event.kind === 'gap') this.#forgetAll();
    else if (event.kind === 'mark') this.#note(event);
    else if (event.kind === 'key') this.#changed(event.keyId);
    else if (event.kind === 'tenant') this.#changed(event.tenantId);
  }

  #note({ mark, at, own }: Mark): void {
    if (own) {
      this.#latest = mark;
      this.#floor ??= at - 1;
    }
    if (this.#marks.has(mark)) return;
    const place = this.#floor !== undefined && at > this.#floor ? this.#position : NOWHERE;
    this.#marks.set(mark, { place, at });
    if (this.#marks.size <= this.#limits.marks) return;
    const forgotten = deleteOldest(this.#marks);
    if (this.#floor !== undefined && forgotten !== undefined) this.#floor = Math.max(this.#floor, forgotten.at);
  }

  #changed(name: string): void {
    // Deleted first, so that the order of the map is that of the last changes.
    this.#changes.delete(name);
    this.#changes.set(name, this.#position);
    if (this.#changes.size > this.#limits.changes) this.#horizon = deleteOldest(this.#changes) ?? this.#horizon;
  }

  #forgetAll(): void {
    this.#latest = undefined;
    this.#floor = undefined;
    this.#marks.clear();
    this.#changes.clear();
  }
}

function deleteOldest<V>(map: Map<string, V>): V | undefined {
  const [oldest] = map;
  if (oldest === undefined) return undefined;
  map.delete(oldest[0]);
  return oldest[1];
}
