import { CommitMarks } from '../commits/commit-marks.ts';
import type { Names } from '../driver/names.ts';
import { isConnectionLost, toStoreError } from '../driver/store-errors.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import { ConnectionPool } from './connection-pool.ts';
import type { PostgresStoreOptions } from './options.ts';
import { type ServerAccess, serverTimeoutOf, SLOTS_PER_CONNECTION } from './server-access.ts';
import type { UnitConnection } from './unit-connection.ts';
import { wayTo } from './way-to-server.ts';

/** Connections to a URL, which the store opens and closes. */
export class OwnConnections implements ServerAccess {
  readonly marks: CommitMarks;
  readonly connections: ConnectionPool;
  readonly #options: Omit<ConnectionOptions, 'pooled'>;
  readonly #notices: Omit<ConnectionOptions, 'pooled'>;
  /** What works everywhere, until the first connection has looked. */
  #pooled = true;

  constructor(names: Names, options: PostgresStoreOptions, limitMs: number) {
    const serverTimeoutMs = serverTimeoutOf(limitMs);
    const { url, notifyUrl = url } = options;
    this.#options = { ...wayTo(url, options), names, name: 'qnsp-kms', serverTimeoutMs };
    this.#notices = { ...wayTo(notifyUrl, options), names, name: 'qnsp-kms-notices', serverTimeoutMs };
    const max = options.poolMax ?? 20;
    this.marks = new CommitMarks(names, max * SLOTS_PER_CONNECTION);
    const counting = { marks: this.marks, requireStandby: options.requireStandby ?? false };
    this.connections = new ConnectionPool({
      open: () => new Connection({ ...this.#options, ...counting, pooled: this.#pooled }),
      max,
      idleMs: options.idleMs ?? 30_000,
      limitMs,
    });
  }

  async asOwner<T>(work: (connection: UnitConnection) => Promise<T>): Promise<T> {
    const connection = new Connection({ ...this.#options, serverTimeoutMs: 0, pooled: true });
    try {
      this.#pooled = await connection.isPooled();
      if (this.#pooled) await requireTransactions(connection);
      return await work(connection);
    } finally {
      await connection.end();
    }
  }

  listener(onNotify: (channel: string, payload: string) => void): Connection {
    return new Connection({ ...this.#notices, pooled: true, onNotify });
  }

  /** Heartbeats must not wait for a place in the pool. */
  sender(): Connection {
    return new Connection({ ...this.#options, name: 'qnsp-kms-heartbeats', pooled: true });
  }
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
