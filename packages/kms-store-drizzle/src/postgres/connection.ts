import type { Socket } from 'node:net';
import { KmsError } from '@qnsp/kms-core';
import { drizzle } from 'drizzle-orm/postgres-js';
import postgres, { type Sql } from 'postgres';
import type { Db } from '../driver.ts';
import { toStoreError } from '../store-errors.ts';
import { type Address, connectSocket } from './address.ts';
import { type PostgresStoreOptions, tlsOptions } from './options.ts';

export interface ConnectionOptions extends Pick<PostgresStoreOptions, 'url' | 'ssl' | 'caPem'> {
  /** What {@link addressOf} the URL is. */
  readonly address: Address;
  readonly connectTimeoutSeconds: number;
  /** How long the server lets a statement run or wait for a lock, or a transaction idle; with 0 as it is set up. */
  readonly serverTimeoutMs: number;
  /** Is given every notification of the channels that this connection listens on, in the order in which they come. */
  readonly onNotify?: (channel: string, payload: string) => void;
}

/**
 * One connection to PostgreSQL, opened by its first statement and never reopened.
 *
 * It is a postgres.js client of its own because the pool of postgres.js 3.4 does not survive the loss of a connection in
 * a transaction: the rollback that it sends by itself throws where nobody can catch it (porsager/postgres#1208), and
 * statements that follow may run in another transaction on the connection that replaced the lost one (#1155, #1216).
 * Here a client has one socket in its life, and transactions are begun and ended by this class.
 */
export class Connection {
  readonly db: Db;
  /** Called once when the connection is lost. */
  onLost: () => void = () => undefined;
  readonly #client: Sql;
  readonly #abort = new AbortController();
  #socket: Socket | undefined;
  #lost = false;

  constructor(options: ConnectionOptions) {
    this.#client = postgres(options.url, this.#clientOptions(options));
    this.db = drizzle(this.#client);
  }

  /** Whether it is of no use any more. */
  get lost(): boolean {
    return this.#lost;
  }

  /** Begins a transaction and runs one more statement in the same round trip; answers the first value of its row. */
  async begin(statement: string): Promise<string> {
    const results: unknown = await this.simple(`begin; ${statement}`);
    // For several statements postgres.js answers a list of results, each a list of rows.
    const [, [row] = []] = results as readonly (readonly Readonly<Record<string, string>>[])[];
    return row?.['now'] ?? '';
  }

  /** Commits. Throws `INTERNAL_ERROR` when a statement had failed, so that PostgreSQL rolled back instead. */
  async commit(): Promise<void> {
    const { command } = await this.simple('commit');
    if (command !== 'COMMIT') throw new KmsError('INTERNAL_ERROR', 'A failed unit of work can not be committed.');
  }

  /** Rolls back; a connection on which that fails is destroyed, which does the same. */
  async rollback(): Promise<void> {
    await this.simple('rollback').catch(() => this.destroy());
  }

  /** Runs statements as plain text. Throws an error of the store port. */
  async simple(text: string): Promise<{ readonly command: string }> {
    try {
      return await this.#client.unsafe(text);
    } catch (error) {
      throw toStoreError(error);
    }
  }

  /** Ends it at once, whatever it is doing. */
  destroy(): void {
    this.#abort.abort();
    this.#socket?.destroy();
    this.#lose();
  }

  /** Says goodbye to the server. */
  async end(): Promise<void> {
    await this.#client.end({ timeout: 1 });
    this.destroy();
  }

  #lose(): void {
    if (this.#lost) return;
    this.#lost = true;
    void this.#client.end({ timeout: 0 });
    this.onLost();
  }

  #clientOptions(options: ConnectionOptions) {
    const { address } = options;
    const timeout = options.serverTimeoutMs;
    return {
      max: 1,
      ssl: tlsOptions(options.ssl, 'host' in address ? address.host : '', options.caPem),
      connect_timeout: options.connectTimeoutSeconds,
      // The pool decides about these.
      idle_timeout: 0,
      max_lifetime: 0,
      // Saves a query per connection: drizzle knows the types.
      fetch_types: false,
      connection: {
        application_name: options.onNotify === undefined ? 'qnsp-kms' : 'qnsp-kms-notices',
        // A heartbeat need not survive a crash.
        ...(options.onNotify === undefined ? {} : { synchronous_commit: 'off' }),
        TimeZone: 'UTC',
        statement_timeout: timeout,
        lock_timeout: timeout,
        idle_in_transaction_session_timeout: timeout,
      },
      onnotice: () => undefined,
      onclose: () => this.#lose(),
      // Not in the types of postgres.js: who gets notifications, and how it gets its socket.
      ...(options.onNotify === undefined ? {} : { onnotify: options.onNotify }),
      socket: () => this.#connect(address, options.connectTimeoutSeconds),
    };
  }

  async #connect(address: Address, limitSeconds: number): Promise<Socket> {
    if (this.#socket !== undefined || this.#lost) {
      throw Object.assign(new Error('the connection was lost'), { code: 'CONNECTION_CLOSED' });
    }
    try {
      this.#socket = await connectSocket(address, limitSeconds * 1000, this.#abort.signal);
      return this.#socket;
    } catch (error) {
      this.#lose();
      throw error;
    }
  }
}
