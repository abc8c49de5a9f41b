/** Something that waits in a queue, or was let out of it and is not done yet. */
export interface Queued<T> {
  readonly owner: string;
  readonly units: number;
  readonly item: T;
}

/** One owner, for as long as anything of theirs waits or runs. */
interface Share<T> {
  /** In the order of their coming. */
  readonly waiting: Set<Queued<T>>;
  running: number;
  /** Units of what was let out, counted from what the one who has least had when this owner came. */
  taken: number;
}

/**
 * Decides whose turn it is. Deficit round robin over owners with a quantum of a single unit, which comes down to this: of the owners who have
 * the fewest running, the one who has taken the fewest units is next, and of those who have taken the same, the one who came first.
 * One who comes counts as having taken no less than anybody else has: there is nothing to be saved up by doing nothing.
 */
export class FairQueue<T> {
  /** In the order of their coming. */
  readonly #shares = new Map<string, Share<T>>();
  #length = 0;

  /** How much waits. */
  get length(): number {
    return this.#length;
  }

  /** How much of an owner's waits. */
  waitingOf(owner: string): number {
    return this.#shares.get(owner)?.waiting.size ?? 0;
  }

  /** Who has the most waiting, and how much that is; `undefined` where nothing waits. */
  longest(): { readonly owner: string; readonly length: number; readonly newest: Queued<T> } | undefined {
    let most: [string, Share<T>] | undefined;
    for (const each of this.#shares) if (each[1].waiting.size > (most?.[1].waiting.size ?? 0)) most = each;
    if (most === undefined) return undefined;
    const [owner, { waiting }] = most;
    const newest = [...waiting].at(-1);
    return newest && { owner, length: waiting.size, newest };
  }

  /** Puts something at the end of what waits of its owner. */
  push(owner: string, units: number, item: T): Queued<T> {
    const queued = { owner, units, item };
    let share = this.#shares.get(owner);
    if (share === undefined) {
      share = { waiting: new Set(), running: 0, taken: this.#least() };
      this.#shares.set(owner, share);
    }
    share.waiting.add(queued);
    this.#length += 1;
    return queued;
  }

  /** Lets out what is next, which counts as running until it is {@link done}; `undefined` where nothing waits. */
  next(): Queued<T> | undefined {
    let best: Share<T> | undefined;
    for (const share of this.#shares.values()) if (share.waiting.size > 0 && isBefore(share, best)) best = share;
    const [queued] = best?.waiting ?? [];
    if (best === undefined || queued === undefined) return undefined;
    best.waiting.delete(queued);
    this.#length -= 1;
    best.running += 1;
    best.taken += queued.units;
    return queued;
  }

  /** What was let out runs no more. */
  done({ owner }: Queued<T>): void {
    const share = this.#shares.get(owner);
    if (share === undefined) return;
    share.running -= 1;
    this.#forgetIdle(owner, share);
  }

  /** Takes out what waits before it is its turn; answers `false` for what does not wait. */
  leave(queued: Queued<T>): boolean {
    const share = this.#shares.get(queued.owner);
    if (share === undefined || !share.waiting.delete(queued)) return false;
    this.#length -= 1;
    this.#forgetIdle(queued.owner, share);
    return true;
  }

  #forgetIdle(owner: string, { waiting, running }: Share<T>): void {
    if (waiting.size === 0 && running === 0) this.#shares.delete(owner);
  }

  #least(): number {
    let least = Infinity;
    for (const { taken } of this.#shares.values()) least = Math.min(least, taken);
    return least === Infinity ? 0 : least;
  }
}

function isBefore(share: Pick<Share<unknown>, 'running' | 'taken'>, other: typeof share | undefined): boolean {
  if (other === undefined) return true;
  return share.running === other.running ? share.taken < other.taken : share.running < other.running;
}
