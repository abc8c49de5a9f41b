/** How many buckets are looked at, at most, to make room for another one. */
const LOOKED_AT = 16;

/** Whatever is smaller is an error of rounding, in milliseconds. */
const ROUNDING_MS = 1e-4;

/**
 * A token bucket as the one number that it needs (the generic cell rate algorithm, ITU-T I.371): when it will be full again, in
 * milliseconds of a monotonic clock. What is missing in it is a time as well, so that rate and size may change at any moment.
 */
export class Bucket {
  #fullAt: number;

  constructor(fullAt: number) {
    this.#fullAt = fullAt;
  }

  /** How many milliseconds it takes to be full. */
  missing(now: number): number {
    return Math.max(0, this.#fullAt - now);
  }

  /**
   * How many milliseconds it takes until it has what is asked for; 0 when it has. More than it holds is had when it is full.
   *
   * @param askedMs in how much time as much as is asked for flows in
   * @param sizeMs in how much time an empty one becomes full
   */
  wait(askedMs: number, sizeMs: number, now: number): number {
    const wait = this.missing(now) + Math.min(askedMs, sizeMs) - sizeMs;
    return wait > ROUNDING_MS ? wait : 0;
  }

  take(takenMs: number, now: number): void {
    this.#fullAt = Math.max(this.#fullAt, now) + takenMs;
  }

  giveBack(takenMs: number): void {
    this.#fullAt -= takenMs;
  }
}

/**
 * Buckets by name, as many as there is room for. A full one can be forgotten without a difference; where none of those that are
 * looked at is full, the one goes that would be soonest.
 */
export class Buckets {
  readonly #most: number;
  readonly #held = new Map<string, Bucket>();
  /** Goes round the buckets, those first that were made first. */
  #hand = this.#held.entries();

  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#held.size;
  }

  /** The bucket of a name; a full one where none is remembered. */
  of(name: string, now: number): Bucket {
    const held = this.#held.get(name);
    if (held !== undefined) return held;
    if (this.#held.size >= this.#most) this.#makeRoom(now);
    const made = new Bucket(now);
    this.#held.set(name, made);
    return made;
  }

  #makeRoom(now: number): void {
    let fullest: string | undefined;
    let missingLeast = Infinity;
    for (let looks = 0; looks < LOOKED_AT; looks += 1) {
      const next = this.#next();
      if (next === undefined) break;
      const [name, bucket] = next;
      const missing = bucket.missing(now);
      if (missing === 0) {
        this.#held.delete(name);
        return;
      }
      if (missing < missingLeast) [fullest, missingLeast] = [name, missing];
    }
    if (fullest !== undefined) this.#held.delete(fullest);
  }

  #next(): [string, Bucket] | undefined {
    const next = this.#hand.next();
    if (next.done !== true) return next.value;
    this.#hand = this.#held.entries();
    return this.#hand.next().value;
  }
}
