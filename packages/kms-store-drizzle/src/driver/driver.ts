import type { StoreScope } from '@qnsp/kms-core/ports';
import type { Names } from './names.ts';
import type { PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core';

/** Drizzle on any PostgreSQL driver. Only what query builders answer is the same for all of them. */
export type Db = PgDatabase<PgQueryResultHKT>;

export interface TransactionOptions {
  /**
   * With `fresh` each statement is planned when it runs. The plans that PostgreSQL keeps may be from when a table was small;
   * for a table that fills in minutes that is worse than planning.
   */
  readonly plans?: 'kept' | 'fresh';
  /** Even on a database that lacks what was acknowledged: for the work that records this in it. */
  readonly evenBehind?: boolean;
  /**
   * Sends statements that read right behind the beginning, without waiting for its answer. A driver that cannot send several at a time
   * never calls it.
   */
  readonly ahead?: (db: Db) => void;
}

/** What the store needs from a database. Every way in which it fails is a `KmsError`. */
export interface Driver {
  /** Of the store that is reached by it. */
  readonly names: Names;
  /**
   * Runs `work` in one transaction under the role and the settings of the scope, and commits it; rolls back when `work`
   * throws. `now` is the time of the transaction in whole milliseconds.
   */
  transaction<T>(scope: StoreScope, work: (db: Db, now: Date) => Promise<T>, options?: TransactionOptions): Promise<T>;
  /** Runs one statement outside any transaction. It brings its own scope. */
  statement<T>(query: (db: Db) => PromiseLike<T>): Promise<T>;
  /** Runs `work` in one transaction as the connecting user, without a limit of time: for migrations. */
  asOwner<T>(work: (db: Db) => Promise<T>): Promise<T>;
  /** Ends every connection once the work on it has ended. */
  close(): Promise<void>;
}
