/** Somebody who waits for an answer, and may stop waiting. */
export interface Client {
  /** Is aborted when nobody waits for the answer any more. */
  readonly gone: AbortSignal;
}

/** A piece of slow work. */
export interface Job {
  /** Whom it is for: jobs of different owners share what there is equally. */
  readonly owner: string;
  /** What it costs, in the units of the table of costs. */
  readonly units: number;
  /** Who waits for it; absent where nobody can stop waiting. */
  readonly client?: Client | undefined;
}

/** What waits and what runs of the jobs of one kind, and what has begun so far. */
export interface JobCounts {
  readonly waiting: number;
  readonly running: number;
  readonly started: number;
  /** How long those that have begun waited before, in sum. */
  readonly waitedMs: number;
}

/**
 * Has slow work done, in fair shares.
 *
 * Contract: a job starts at once while there is room for it. Otherwise it waits, and of those that wait the next one is of an owner who has
 * the fewest running and, of these, has taken the fewest units; so a job of one who had nothing to do waits for at most one job of each
 * other owner until it is started. A job whose client is gone before it starts is never started. Nothing waits while there is room.
 */
export interface Jobs {
  /**
   * Does a job when its turn comes.
   *
   * @param work starts it; it is over when what this answers has settled
   * @returns what the work answers; rejects with what it throws, or with the reason of `client.gone`
   */
  run<T>(job: Job, work: () => T | Promise<T>): Promise<T>;
  /** By the kinds of jobs that do not wait for one another. */
  counts(): Readonly<Record<string, JobCounts>>;
}
