import { setTimeout as sleep } from 'node:timers/promises';
import { OutcomeUnknown, type StoreScope } from '@qnsp/kms-core/ports';
import type { Db, Driver, TransactionOptions } from '../driver/driver.ts';
import { CommitMarks, type OpenCommit } from '../commits/commit-marks.ts';
import { scopeStatement } from '../driver/scope.ts';
import { isConnectionLost, toStoreError } from '../driver/store-errors.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import { ConnectionPool } from './connection-pool.ts';
import { DatabaseClock } from './database-clock.ts';
import type { PostgresStoreOptions } from './options.ts';
import { wayTo } from './way-to-server.ts';

/** The server gives up a little before the client does, so that a busy database says so and the connection survives. */
const SERVER_SHARE = 0.9;

/** Connections come and go, and an abandoned one may hold the row of its slot for a while. */
const SLOTS_PER_CONNECTION = 4;

/** Between two questions whether a unit of work was committed. */
const ASK_AGAIN_MS = 1000;

/** The driver for a PostgreSQL server, or for a pooler in front of one. */
export class PostgresDriver implements Driver {
  /** The time of the database, as its answers tell it. */
  readonly clock = new DatabaseClock();
  /** What was acknowledged to this process as committed. */
  readonly marks: CommitMarks;
  readonly #closing = new AbortController();
  readonly #pool: ConnectionPool;
  readonly #connections: Omit<ConnectionOptions, 'pooled'>;
  readonly #notices: Omit<ConnectionOptions, 'pooled'>;
  /** What works everywhere, until the first connection has looked. */
  #pooled = true;

  constructor(options: PostgresStoreOptions) {
    const limitMs = options.statementTimeoutMs ?? 5000;
    const serverTimeoutMs = Math.max(1, Math.floor(limitMs * SERVER_SHARE));
    const { url, notifyUrl = url } = options;
    this.#connections = { ...wayTo(url, options), name: 'qnsp-kms', serverTimeoutMs };
    this.#notices = { ...wayTo(notifyUrl, options), name: 'qnsp-kms-notices', serverTimeoutMs };
    const max = options.poolMax ?? 20;
    const counting = {
      marks: new CommitMarks(max * SLOTS_PER_CONNECTION),
      requireStandby: options.requireStandby ?? false,
    };
    this.marks = counting.marks;
    this.#pool = new ConnectionPool({
      open: () => new Connection({ ...this.#connections, ...counting, pooled: this.#pooled }),
      max,
      idleMs: options.idleMs ?? 30_000,
      limitMs,
    });
  }

  transaction<T>(scope: StoreScope, work: (db: Db, now: Date) => Promise<T>, options?: TransactionOptions): Promise<T> {
    const statement = scopeStatement(scope, options);
    const attempt: Attempt<T> = { open: undefined };
    return this.#use(
      (connection) => this.#inTransaction(connection, statement, work, attempt),
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
    await this.#pool.use((connection) => connection.becomeKnown());
  }

  #use<T>(work: (connection: Connection) => Promise<T>, evenBehind = false): Promise<T> {
    if (evenBehind) return this.#pool.use(work);
    return this.#pool.use((connection) => {
      // After the wait for a connection, during which it may have come out.
      this.marks.requireCurrent();
      return connection.isKnown ? work(connection) : connection.becomeKnown().then(() => work(connection));
    });
  }

  async asOwner<T>(work: (db: Db) => Promise<T>): Promise<T> {
    const connection = new Connection({ ...this.#connections, serverTimeoutMs: 0, pooled: true });
    try {
      this.#pooled = await connection.isPooled();
      if (this.#pooled) await requireTransactions(connection);
      return await this.#inTransaction(connection, `select '' as now`, work, { open: undefined });
    } finally {
      await connection.end();
    }
  }

  /** A dedicated connection, outside the pool, for notifications. */
  listener(onNotify: (channel: string, payload: string) => void): Connection {
    return new Connection({ ...this.#notices, pooled: true, onNotify });
  }

  /**
   * A dedicated connection that takes the same path as the pool, for heartbeats: they must not wait for a place in it.
   */
  sender(): Connection {
    return new Connection({ ...this.#connections, name: 'qnsp-kms-heartbeats', pooled: true });
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
    return this.#pool.close();
  }

  async #inTransaction<T>(
    connection: Connection,
    statement: string,
    work: (db: Db, now: Date) => Promise<T>,
    attempt: Attempt<T>,
  ): Promise<T> {
    const askedAt = performance.now();
    const now = Number(await connection.begin(statement));
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

/** A pooler in statement mode refuses and hangs up, of which postgres.js reports only the latter. */
async function requireTransactions(connection: Connection): Promise<void> {
  try {
    await connection.begin(`select '' as now`);
    await connection.rollback();
  } catch (error) {
    if (!isConnectionLost(error)) throw error;
    const failure = new Error('the pooler does not let a transaction begin', { cause: error });
    throw toStoreError(Object.assign(failure, { code: 'CONNECT_NO_TRANSACTIONS' }));
  }
}
