import type { StoreScope } from '@qnsp/kms-core';
import type { Db, Driver, TransactionOptions } from '../driver.ts';
import { scopeStatement } from '../scope.ts';
import { isConnectionLost } from '../store-errors.ts';
import { addressOf } from './address.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import { ConnectionPool } from './connection-pool.ts';
import type { PostgresStoreOptions } from './options.ts';

/** The server gives up a little before the client does, so that a busy database says so and the connection lives on. */
const SERVER_SHARE = 0.9;

/** The driver for a PostgreSQL server. */
export class PostgresDriver implements Driver {
  readonly #pool: ConnectionPool;
  readonly #ownerOptions: ConnectionOptions;
  readonly #listenerOptions: ConnectionOptions;

  constructor(options: PostgresStoreOptions) {
    const limitMs = options.statementTimeoutMs ?? 5000;
    const { url, ssl, caPem } = options;
    const shared = {
      url,
      address: addressOf(url),
      ssl,
      ...(caPem === undefined ? {} : { caPem }),
      connectTimeoutSeconds: options.connectTimeoutSeconds ?? 5,
    };
    this.#ownerOptions = { ...shared, serverTimeoutMs: 0 };
    const serverTimeoutMs = Math.max(1, Math.floor(limitMs * SERVER_SHARE));
    this.#listenerOptions = { ...shared, serverTimeoutMs };
    this.#pool = new ConnectionPool({
      open: () => new Connection({ ...shared, serverTimeoutMs }),
      max: options.poolMax ?? 20,
      idleMs: options.idleMs ?? 30_000,
      limitMs,
    });
  }

  transaction<T>(scope: StoreScope, work: (db: Db, now: Date) => Promise<T>, options?: TransactionOptions): Promise<T> {
    const statement = scopeStatement(scope, options);
    return this.#pool.use((connection) => inTransaction(connection, statement, work));
  }

  statement<T>(query: (db: Db) => PromiseLike<T>): Promise<T> {
    return this.#pool.use(async (connection) => query(connection.db));
  }

  async asOwner<T>(work: (db: Db) => Promise<T>): Promise<T> {
    const connection = new Connection(this.#ownerOptions);
    try {
      return await inTransaction(connection, `select '0' as now`, work);
    } finally {
      await connection.end();
    }
  }

  /** A connection of its own, beside the pool, for notifications. */
  listener(onNotify: (channel: string, payload: string) => void): Connection {
    return new Connection({ ...this.#listenerOptions, onNotify });
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}

async function inTransaction<T>(
  connection: Connection,
  statement: string,
  work: (db: Db, now: Date) => Promise<T>,
): Promise<T> {
  const now = new Date(Number(await connection.begin(statement)));
  let answer: T;
  try {
    answer = await work(connection.db, now);
  } catch (error) {
    if (isConnectionLost(error)) connection.destroy();
    else await connection.rollback();
    throw error;
  }
  await connection.commit();
  return answer;
}
