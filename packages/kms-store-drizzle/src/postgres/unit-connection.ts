import type { OpenCommit } from '../commits/commit-marks.ts';
import type { Db } from '../driver/driver.ts';

/** What the driver asks of a connection while it has it. */
export interface UnitConnection {
  /** In its transaction, if one has begun. */
  readonly db: Db;
  /** Whether the server behind it was seen to have every known commit. */
  readonly isKnown: boolean;
  /**
   * Begins a transaction and runs another statement in it; returns what that calls `now`.
   *
   * @param ahead sends what comes next before that is answered; never called where statements can only be sent one at a time
   */
  begin(statement: string, ahead?: (db: Db) => void): Promise<string>;
  /** Commits, and counts the commit. Throws `INTERNAL_ERROR` when a statement had failed. */
  commit(): Promise<void>;
  rollback(): Promise<void>;
  /** The unit of work that is about to be committed here, for `CommitMarks.settled`. */
  committing(): OpenCommit | undefined;
  /** Whether a unit of work of another connection was committed; waits for one that is still in progress. */
  wasCommitted(open: OpenCommit): Promise<boolean>;
  /** Checks the server behind it. Throws if it lacks a known commit. */
  becomeKnown(): Promise<void>;
  /** Sends nothing more on it. */
  destroy(): void;
}

/** Hands out connections, each to one user at a time. */
export interface UnitConnections {
  /** Throws `STORE_UNAVAILABLE` when it takes longer than the limit; `work` then meets a dead connection. */
  use<T>(work: (connection: UnitConnection) => Promise<T>): Promise<T>;
  /** Takes no more users, and waits for those that it has. */
  close(): Promise<void>;
}
