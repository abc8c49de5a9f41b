import { KmsError } from '@qnsp/kms-core';
import type { StoreScope } from '@qnsp/kms-core/ports';
import type { Db } from './driver.ts';
import type { Names } from './names.ts';
import { isConnectionLost, toStoreError } from './store-errors.ts';

/** The database as one unit of work sees it: until it ends, and with the errors of the store port. */
export class Session {
  readonly scope: StoreScope;
  readonly now: Date;
  readonly names: Names;
  readonly #db: Db;
  #ended = false;
  /** Why nothing more can be done. */
  #lost: KmsError | undefined;

  constructor(names: Names, scope: StoreScope, now: Date, db: Db) {
    this.names = names;
    this.scope = scope;
    this.now = now;
    this.#db = db;
  }

  /** Runs one statement. Throws `INTERNAL_ERROR` when the unit has ended. */
  async run<T>(query: (db: Db) => PromiseLike<T>): Promise<T> {
    if (this.#ended) throw new KmsError('INTERNAL_ERROR', 'The unit of work has ended.');
    if (this.#lost !== undefined) throw this.#lost;
    try {
      return await query(this.#db);
    } catch (error) {
      const failure = toStoreError(error);
      if (isConnectionLost(failure)) this.#lost = failure;
      throw failure;
    }
  }

  end(): void {
    this.#ended = true;
  }
}
