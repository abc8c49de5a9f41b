import { setTimeout as sleep } from 'node:timers/promises';
import { OutcomeUnknown, type StoreScope } from '@qnsp/kms-core/ports';
import type { Db, Driver, TransactionOptions } from '../driver/driver.ts';
import type { CommitMarks, OpenCommit } from '../commits/commit-marks.ts';
import { type Names, namesIn } from '../driver/names.ts';
import { scopeStatement } from '../driver/scope.ts';
import { isConnectionLost } from '../driver/store-errors.ts';
import { BorrowedConnections } from './borrowed-connections.ts';
import type { Connection } from './connection.ts';
import { DatabaseClock } from './database-clock.ts';
import type { PostgresClientOptions, PostgresStoreOptions } from './options.ts';
import { OwnConnections } from './own-connections.ts';
import type { ServerAccess } from './server-access.ts';
import type { UnitConnection } from './unit-connection.ts';

/** Between two questions whether a unit of work was committed. */
const ASK_AGAIN_MS = 1000;

/** The driver for a PostgreSQL server, or for a pooler in front of one. */
export class PostgresDriver implements Driver {
  readonly names: Names;
  /** The time of the database, as its answers tell it. */
  readonly clock = new DatabaseClock();
  readonly #closing = new AbortController();
  readonly #server: ServerAccess;

  constructor(options: PostgresStoreOptions | PostgresClientOptions) {
    this.names = namesIn(options.schema);
    const limitMs = options.statementTimeoutMs ?? 5000;
    this.#server =
      'client' in options
        ? new BorrowedConnections(this.names, options, limitMs)
        : new OwnConnections(this.names, options, limitMs);
  }

  /** What was acknowledged to this process as committed. */
  get marks(): CommitMarks {
    return this.#server.marks;
  }

  transaction<T>(scope: StoreScope, work: (db: Db, now: Date) => Promise<T>, options?: TransactionOptions): Promise<T> {
    const statement = scopeStatement(this.names, scope, options);
    const attempt: Attempt<T> = { open: undefined };
    return this.#use(
      (connection) => this.#inTransaction(connection, statement, work, attempt, options?.ahead),
      options?.evenBehind,
    ).catch((error: unknown) => {
      if (attempt.open === undefined) throw error;
      return this.#settle(attempt.open, error);
    });
  }

  statement<T>(query: (db: Db) => PromiseLike<T>): Promise<T> {
    return this.#use(async (connection) => query(connection.db));
  }

  /** Checks the database again, whatever was seen of it before. */
  async lookAgain(): Promise<void> {
    this.marks.requireCurrent();
    await this.#server.connections.use((connection) => connection.becomeKnown());
  }

  #use<T>(work: (connection: UnitConnection) => Promise<T>, evenBehind = false): Promise<T> {
    if (evenBehind) return this.#server.connections.use(work);
    return this.#server.connections.use((connection) => {
      // After the wait for a connection, during which it may have come out.
      this.marks.requireCurrent();
      return connection.isKnown ? work(connection) : connection.becomeKnown().then(() => work(connection));
    });
  }

  asOwner<T>(work: (db: Db) => Promise<T>): Promise<T> {
    return this.#server.asOwner((connection) =>
      this.#inTransaction(connection, `select '' as now`, work, { open: undefined }),
    );
  }

  /** A dedicated connection, outside the pool, for notifications. */
  listener(onNotify: (channel: string, payload: string) => void): Connection {
    return this.#server.listener(onNotify);
  }

  /** A dedicated connection that takes the same path as the pool, for heartbeats: they must not wait for a place in it. */
  sender(): Connection {
    return this.#server.sender();
  }

  /** Logs in once where notices come from. */
  async tryNotices(): Promise<void> {
    const connection = this.listener(() => undefined);
    try {
      await connection.simple('select 1');
    } finally {
      await connection.end();
    }
  }

  close(): Promise<void> {
    this.#closing.abort();
    return this.#server.connections.close();
  }

  async #inTransaction<T>(
    connection: UnitConnection,
    statement: string,
    work: (db: Db, now: Date) => Promise<T>,
    attempt: Attempt<T>,
    ahead?: (db: Db) => void,
  ): Promise<T> {
    const askedAt = performance.now();
    const now = Number(await connection.begin(statement, ahead));
    if (now > 0) this.clock.observe(askedAt, performance.now(), now);
    let answer: T;
    try {
      answer = await work(connection.db, new Date(now));
    } catch (error) {
      if (isConnectionLost(error)) connection.destroy();
      else await connection.rollback();
      throw error;
    }
    const commit = connection.committing();
    attempt.open = commit && { commit, answer };
    try {
      await connection.commit();
    } catch (error) {
      if (isConnectionLost(error)) {
        connection.destroy();
        throw error;
      }
      // It was refused. What was sent along with the COMMIT may have been too, and the transaction is still open.
      this.#answered(attempt);
      await connection.rollback();
      throw error;
    }
    this.#answered(attempt);
    return answer;
  }

  /** Its answer came, and was counted if there was something to count. */
  #answered(attempt: Attempt<unknown>): void {
    if (attempt.open !== undefined) this.marks.settled(attempt.open.commit, false);
    attempt.open = undefined;
  }

  /**
   * The answer to a COMMIT did not come. Asks the database over another connection whether it was made.
   *
   * @throws what went wrong if it was not made, `OutcomeUnknown` if the database does not say.
   */
  async #settle<T>({ commit, answer }: Open<T>, error: unknown): Promise<T> {
    let made: boolean;
    try {
      made = await this.#wasCommitted(commit);
    } catch {
      // Why the first connection failed says more.
      throw new OutcomeUnknown(this.#askUntilKnown(commit), error);
    }
    if (made) return answer;
    throw error;
  }

  async #wasCommitted(commit: OpenCommit): Promise<boolean> {
    const made = await this.#use((connection) => connection.wasCommitted(commit));
    this.marks.settled(commit, made);
    return made;
  }

  /** For as long as it takes, or until the driver is closed. */
  async #askUntilKnown(commit: OpenCommit): Promise<boolean> {
    while (!this.#closing.signal.aborted) {
      await sleep(ASK_AGAIN_MS, undefined, { ref: false });
      try {
        return await this.#wasCommitted(commit);
      } catch {
        // The database is still away.
      }
    }
    return new Promise<never>(() => undefined);
  }
}

/** A unit of work whose COMMIT was sent. */
interface Open<T> {
  readonly commit: OpenCommit;
  readonly answer: T;
}

interface Attempt<T> {
  open: Open<T> | undefined;
}
