import { setTimeout as sleep } from 'node:timers/promises';
import type { Sql, TransactionSql } from 'postgres';
import type { Db } from '../driver/driver.ts';
import type { Names } from '../driver/names.ts';
import { isConnectionLost, toStoreError } from '../driver/store-errors.ts';
import { databaseOn, type Row, simple } from './borrowed-client.ts';
import { ISOLATION } from './transaction-limits.ts';

/** How long a client may take to notice that the connection of a failed statement is gone. */
const NOTICED_MS = 1000;

/** What the end of a transaction waits for when it is not to be committed. */
const ROLLED_BACK = new Error('rolled back');

/**
 * A transaction of the application's client, which is begun and ended from outside.
 *
 * postgres.js 3.4 takes a connection that was lost in a transaction for one to be reused: what is sent after the loss, its own
 * ROLLBACK too, runs on another connection or throws where nobody can catch it (porsager/postgres#1155, #1208, #1216). So after
 * a loss nothing more is sent, and the function that postgres.js waits for does not return.
 */
export class BorrowedTransaction {
  /** The row of the first statement. */
  readonly begun: Promise<Row>;
  /** Rejects with an error of the store port unless it was committed. */
  readonly ended: Promise<void>;
  readonly #names: Pick<Names, 'schema'>;
  readonly #end = Promise.withResolvers<void>();
  readonly #gone = new AbortController();
  #tx: TransactionSql | undefined;
  #db: Db | undefined;
  /** Nothing more may be sent: it was given up, or a statement failed as on a connection that is lost. */
  #closed = false;
  #suspect = false;

  /** @param onBegin called when it has a connection, before `first` is sent */
  constructor(client: Sql, names: Pick<Names, 'schema'>, first: string, onBegin: () => void) {
    this.#names = names;
    const begun = Promise.withResolvers<Row>();
    this.begun = begun.promise;
    this.begun.catch(() => undefined);
    this.#end.promise.catch(() => undefined);
    this.ended = client
      .begin(ISOLATION, (tx) => this.#run(tx, first, begun, onBegin))
      .then(
        () => undefined,
        (error: unknown) => {
          this.#closed = true;
          this.#gone.abort();
          const failure = toStoreError(error);
          begun.reject(failure);
          throw failure;
        },
      );
    this.ended.catch(() => undefined);
  }

  /** Once it has begun. */
  get db(): Db | undefined {
    return this.#db;
  }

  /** Runs a statement without parameters. */
  async simple(text: string): Promise<readonly Row[]> {
    this.#requireOpen();
    if (this.#tx === undefined) throw lost();
    return simple(this.#tx, text).catch((error: unknown) => {
      this.#failed(error);
      throw error;
    });
  }

  async commit(): Promise<void> {
    if (this.#closed) throw toStoreError(lost());
    this.#closed = true;
    this.#end.resolve();
    await this.ended;
  }

  /** Takes everything back, and waits for it. */
  async rollback(): Promise<void> {
    this.abandon();
    await this.ended.catch(() => undefined);
  }

  /** Takes everything back as soon as the connection lets it. */
  abandon(): void {
    this.#closed = true;
    this.#end.reject(ROLLED_BACK);
  }

  async #run(tx: TransactionSql, first: string, begun: PromiseWithResolvers<Row>, onBegin: () => void): Promise<void> {
    try {
      // It may have been given up while it waited for a connection.
      if (this.#closed) throw ROLLED_BACK;
      onBegin();
      this.#tx = tx;
      this.#db = databaseOn(
        tx,
        this.#names,
        () => this.#requireOpen(),
        (error) => this.#failed(error),
      );
      const [row = {}] = await this.simple(first);
      begun.resolve(row);
      await this.#end.promise;
    } catch (error) {
      begun.reject(toStoreError(error));
      if (await this.#isGone()) return new Promise<never>(() => undefined);
      throw error;
    }
  }

  #requireOpen(): void {
    if (this.#closed) throw lost();
  }

  #failed(error: unknown): void {
    if (!isConnectionLost(toStoreError(error))) return;
    this.#closed = true;
    this.#suspect = true;
  }

  async #isGone(): Promise<boolean> {
    const { signal } = this.#gone;
    if (this.#suspect) await sleep(NOTICED_MS, undefined, { signal, ref: false }).catch(() => undefined);
    return signal.aborted;
  }
}

function lost(): Error {
  return Object.assign(new Error('the connection was lost'), { code: 'CONNECTION_CLOSED' });
}
