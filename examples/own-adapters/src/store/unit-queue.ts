import { KmsError } from '@qnsp/kms-core';
import type { Database } from './database.ts';

/**
 * Runs units of work one after another on the connection that writes, each in a transaction: SQLite has one writer at a time
 * anyway, so nothing needs to be locked besides. A unit that starts another one and waits for it waits for itself.
 */
export class UnitQueue {
  readonly #database: Database;
  /** Settles when the last unit in the queue has ended; never rejects. */
  #idle: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(database: Database) {
    this.#database = database;
  }

  /** @param committed called when the unit is committed, before its answer is given */
  run<T>(work: (database: Database) => Promise<T>, committed: () => void = () => undefined): Promise<T> {
    const run = this.#idle.then(() => this.#transaction(work, committed));
    this.#idle = run.catch(() => undefined);
    return run;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#idle;
  }

  async #transaction<T>(work: (database: Database) => Promise<T>, committed: () => void): Promise<T> {
    if (this.#isClosed)
      throw new KmsError('STORE_UNAVAILABLE', 'The database is closed. Try again.', { retryAfterSeconds: 1 });
    this.#database.begin();
    let answer: T;
    try {
      answer = await work(this.#database);
      this.#database.commit();
    } catch (error) {
      this.#database.rollBack();
      throw error;
    }
    committed();
    return answer;
  }
}
