/** The database tells its time in whole milliseconds. */
const RESOLUTION_MS = 1;

/**
 * The clock of the database, as this process knows it from what the database says in passing. It advances with the
 * running time of the process, so that a wall clock that is wrong, or is set, has no effect; after sleep it is
 * corrected by the next answer.
 */
export class DatabaseClock {
  /** What to add to `performance.now()`. */
  #ahead: number | undefined;
  #measuredSkewMs = 0;

  /**
   * Takes in that the database said a time after it was asked and before it had answered. What is known stays as it is for
   * as long as it can be true, so that slow answers do no harm.
   *
   * @param askedAt of `performance.now()`, as `answeredAt`
   * @param databaseMs milliseconds since the epoch
   */
  observe(askedAt: number, answeredAt: number, databaseMs: number): void {
    if (!Number.isFinite(databaseMs)) return;
    const least = databaseMs - answeredAt;
    const most = databaseMs + RESOLUTION_MS - askedAt;
    this.#ahead = this.#ahead === undefined ? (least + most) / 2 : Math.min(most, Math.max(least, this.#ahead));
    this.#measuredSkewMs = Date.now() - this.now();
  }

  /** Whole milliseconds since the epoch; by the clock of this machine until the database has told its time. Can be handed on by itself. */
  readonly now = (): number => (this.#ahead === undefined ? Date.now() : Math.floor(performance.now() + this.#ahead));

  /** What `machineAheadMs` was at the last answer, 0 before the first: for callers that ask all the time. */
  get measuredSkewMs(): number {
    return this.#measuredSkewMs;
  }

  /** How many milliseconds the clock of this machine is ahead of the database's; negative if it is behind. */
  machineAheadMs(): number | undefined {
    return this.#ahead === undefined ? undefined : Date.now() - this.now();
  }
}
