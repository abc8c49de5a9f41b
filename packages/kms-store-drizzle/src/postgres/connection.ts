import type { Socket } from 'node:net';
import { KmsError } from '@qnsp/kms-core';
import { drizzle, PostgresJsDatabase, PostgresJsSession } from 'drizzle-orm/postgres-js';
import postgres, { type RowList, type Sql } from 'postgres';
import type { Db } from '../driver/driver.ts';
import { DEFAULT_SCHEMA, type Names } from '../driver/names.ts';
import { dialectFor } from '../driver/schema-dialect.ts';
import type { CommitMarks, DatabaseLook, OpenCommit } from '../commits/commit-marks.ts';
import { isConnectionLost, isInFailedTransaction, lagging, toStoreError } from '../driver/store-errors.ts';
import type { ConnectionUrl } from './connection-url.ts';
import { ISOLATION, limitStatements, limitsOf, NOTE_STANDBY } from './transaction-limits.ts';
import type { UnitConnection } from './unit-connection.ts';

interface LookRow {
  readonly recovering: boolean;
  readonly holder: string | null;
  readonly slot: number;
  readonly count: string;
}

/** How long a pooler is assumed to lead to the same server: it may change that without notice. */
const POOLER_KNOWN_MS = 500;

/** Who logs in where. What is left out is as in postgres.js: from `PGUSER` and the like, or the user of the system. */
interface Login extends Pick<ConnectionUrl, 'user' | 'database' | 'options'> {
  readonly password: string | undefined | (() => string | Promise<string>);
}

export interface ConnectionOptions {
  readonly login: Login;
  /** Makes the socket: connected, and encrypted where it should be. */
  readonly connect: (limitMs: number, aborted: AbortSignal) => Promise<Socket>;
  readonly connectTimeoutSeconds: number;
  /** How long the server lets a statement run or wait for a lock, or a transaction idle; with 0 without a limit. */
  readonly serverTimeoutMs: number;
  /** Of the store; default: those of the default schema. */
  readonly names?: Pick<Names, 'schema'>;
  /** What it calls itself at the server. */
  readonly name: 'qnsp-kms' | 'qnsp-kms-notices' | 'qnsp-kms-heartbeats';
  /**
   * A pooler may put each transaction into another session of the server: nothing is left in a session, no setting and
   * no prepared statement, and limits of time are set within each transaction.
   */
  readonly pooled: boolean;
  /** Receives every notification of the channels that this connection listens on, in order of arrival. */
  readonly onNotify?: (channel: string, payload: string) => void;
  /** Where the units of work of this connection are counted; nothing is counted without it. */
  readonly marks?: CommitMarks;
  /** With it, units of work that change something need a synchronous standby. */
  readonly requireStandby?: boolean;
}

/** The rows of a plain statement with their columns as text, and the session that the login was told of. */
type PlainRows = RowList<Readonly<Record<string, string>>[]>;

/**
 * One connection to PostgreSQL, opened by its first statement and never reopened.
 *
 * It is a postgres.js client of its own because the pool of postgres.js 3.4 does not survive the loss of a connection
 * in a transaction: the rollback that it sends on its own throws where nobody can catch it (porsager/postgres#1208),
 * and statements that follow may run in another transaction on the connection that replaced the lost one (#1155,
 * #1216). Here a client has one socket in its life, and transactions are begun and ended by this class.
 */
export class Connection implements UnitConnection {
  readonly db: Db;
  /** Called once when the connection is lost. */
  onLost: () => void = () => undefined;
  readonly #client: Sql;
  readonly #marks: CommitMarks | undefined;
  readonly #slot: number;
  readonly #pooled: boolean;
  #knownUntil = -Infinity;
  /** What every transaction begins with. */
  readonly #begin: string;
  readonly #noteStandby: string;
  readonly #abort = new AbortController();
  #socket: Socket | undefined;
  #lost = false;

  constructor(options: ConnectionOptions) {
    this.#client = postgres(this.#clientOptions(options));
    this.#begin = `begin ${ISOLATION}; ${options.pooled ? limitStatements(options.serverTimeoutMs) : ''}`;
    this.#noteStandby = options.requireStandby === true ? NOTE_STANDBY : '';
    this.db = databaseOn(this.#client, options.names ?? { schema: DEFAULT_SCHEMA });
    this.#marks = options.marks;
    this.#slot = options.marks?.takeSlot() ?? 0;
    this.#pooled = options.pooled;
  }

  /** Whether the server behind it was seen to have every known commit. */
  get isKnown(): boolean {
    return this.#knownUntil === Infinity || performance.now() < this.#knownUntil;
  }

  /** Whether it is no longer usable. */
  get lost(): boolean {
    return this.#lost;
  }

  /** Begins a transaction and runs another statement in the same round trip; returns the first value of its row. */
  async begin(statement: string, ahead?: (db: Db) => void): Promise<string> {
    const begun = this.#rolledBackOnFailure(`${this.#begin}${this.#noteStandby}${statement}`);
    ahead?.(this.db);
    const results: unknown = await begun;
    // For several statements postgres.js answers a list of results, each a list of rows.
    const row = (results as readonly (readonly Readonly<Record<string, string>>[])[]).at(-1)?.[0];
    return row?.['now'] ?? '';
  }

  /**
   * Commits, and counts the commit. Throws `INTERNAL_ERROR` when a statement had failed, so that PostgreSQL rolled back
   * instead.
   */
  async commit(): Promise<void> {
    const marks = this.#marks;
    if (marks === undefined) {
      const { command } = await this.simple('commit');
      if (command !== 'COMMIT') throw failedUnit();
      return;
    }
    const [row] = await this.simple(`${marks.noteStatement(this.#slot)}; commit`).catch((error: unknown) => {
      throw isInFailedTransaction(error) ? failedUnit() : error;
    });
    // postgres.js begins a new result with the columns of a statement, and COMMIT has none. The column may be null.
    const noted: string | null = row?.['noted'] ?? null;
    if (noted !== null) marks.noted(this.#slot, Number(noted));
  }

  /** The unit of work that is about to be committed here, for {@link CommitMarks.settled}. */
  committing(): OpenCommit | undefined {
    return this.#marks?.committing(this.#slot);
  }

  /** Whether a unit of work of another connection was committed; waits for one that is still in progress. */
  async wasCommitted({ slot, count }: OpenCommit): Promise<boolean> {
    const marks = this.#marks;
    if (marks === undefined) return false;
    const results: unknown = await this.#rolledBackOnFailure(`${this.#begin}${marks.settleStatements(slot)}; commit`);
    const row = (results as readonly (readonly Readonly<Record<string, string>>[])[]).at(-1)?.[0];
    return Number(row?.['count']) >= count;
  }

  /** Checks the server behind it, once. Throws if it lacks a known commit. */
  async becomeKnown(): Promise<void> {
    const marks = this.#marks;
    if (marks === undefined) return;
    const found = await marks.look(() => this.#look(marks.lookStatement()));
    if (found === 'lagging') {
      this.destroy();
      throw lagging();
    }
    this.#knownUntil = this.#pooled ? performance.now() + POOLER_KNOWN_MS : Infinity;
  }

  /** Rolls back; a connection on which that fails is destroyed, which does the same. */
  async rollback(): Promise<void> {
    await this.simple('rollback').catch(() => this.destroy());
  }

  /** Runs a statement and returns the number of the server session in which it ran. */
  async session(statement: string): Promise<number> {
    const results: unknown = await this.simple(`${statement}; select pg_backend_pid()::text as pid`);
    const [, [row] = []] = results as readonly (readonly Readonly<Record<string, string>>[])[];
    return Number(row?.['pid']);
  }

  /**
   * Whether there is a pooler in between: it tells its clients a session number that is not one of the server's. In
   * session mode too, which from here looks like transaction mode for as long as nobody else is there.
   */
  async isPooled(): Promise<boolean> {
    const { 0: row, state } = await this.simple('select pg_backend_pid()::text as pid');
    return Number(row?.['pid']) !== state.pid;
  }

  /** Runs statements as plain text. Throws an error of the store port. */
  async simple(text: string): Promise<PlainRows> {
    try {
      return await this.#client.unsafe<Readonly<Record<string, string>>[]>(text);
    } catch (error) {
      throw toStoreError(error);
    }
  }

  /**
   * What fails after its BEGIN leaves a failed transaction, in which the next user of the connection can do nothing.
   */
  async #rolledBackOnFailure(text: string): Promise<PlainRows> {
    try {
      return await this.simple(text);
    } catch (error) {
      if (isConnectionLost(error)) this.destroy();
      else await this.rollback();
      throw error;
    }
  }

  async #look(statement: string): Promise<DatabaseLook> {
    const answer: unknown = await this.simple(statement);
    // The rows of the one statement, with these columns.
    const rows = answer as readonly LookRow[];
    return {
      recovering: rows.some(({ recovering }) => recovering),
      counted: rows.flatMap(({ holder, slot, count }) =>
        holder === null ? [] : [{ holder, slot, count: Number(count) }],
      ),
    };
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
    this.#marks?.giveSlot(this.#slot);
    this.onLost();
  }

  #clientOptions(options: ConnectionOptions) {
    const { user, password, database, options: sessionOptions } = options.login;
    return {
      max: 1,
      ...(user === undefined ? {} : { user }),
      ...(password === undefined ? {} : { password }),
      ...(database === undefined ? {} : { database }),
      // The socket arrives ready: postgres.js asks for nothing of this.
      host: 'localhost',
      ssl: false,
      connect_timeout: options.connectTimeoutSeconds,
      // The pool decides about these.
      idle_timeout: 0,
      max_lifetime: 0,
      // Saves a query per connection: drizzle knows the types.
      fetch_types: false,
      // One that is left in a session of a pooler is missing in the next.
      prepare: !options.pooled,
      connection: {
        application_name: options.name,
        TimeZone: 'UTC',
        ...(sessionOptions === undefined ? {} : { options: sessionOptions }),
        // A pooler refuses parameters that it does not know.
        ...(options.pooled ? {} : limitsOf(options.serverTimeoutMs)),
      },
      types: REPEATABLE,
      onnotice: () => undefined,
      onclose: () => this.#lose(),
      // Not in the types of postgres.js: who gets notifications, and how it gets its socket.
      ...(options.onNotify === undefined ? {} : { onnotify: options.onNotify }),
      socket: () => this.#connect(options),
    };
  }

  async #connect({ connect, connectTimeoutSeconds }: ConnectionOptions): Promise<Socket> {
    if (this.#socket !== undefined || this.#lost) {
      throw Object.assign(new Error('the connection was lost'), { code: 'CONNECTION_CLOSED' });
    }
    try {
      this.#socket = await connect(connectTimeoutSeconds * 1000, this.#abort.signal);
      return this.#socket;
    } catch (error) {
      this.#lose();
      throw error;
    }
  }
}

function databaseOn(client: Sql, names: Pick<Names, 'schema'>): Db {
  // Teaches the client how drizzle reads and writes values.
  drizzle(client);
  const dialect = dialectFor(names);
  return new PostgresJsDatabase(dialect, new PostgresJsSession(client, dialect, undefined), undefined);
}

/**
 * When the server has lost a prepared statement, postgres.js 3.4 prepares it again and runs it with values that are
 * already text. Its own way to write these types makes another value of that: a hash that no token has, `false` of
 * `true`.
 */
const REPEATABLE = {
  boolean: {
    to: 16,
    from: [16],
    serialize: (value: unknown) => (value === true || value === 't' ? 't' : 'f'),
    parse: (text: string) => text === 't',
  },
  bytes: {
    to: 17,
    from: [17],
    serialize: (value: Uint8Array | string) =>
      typeof value === 'string' ? value : `\\x${Buffer.from(value).toString('hex')}`,
    parse: (text: string) => Buffer.from(text.slice(2), 'hex'),
  },
};

function failedUnit(): KmsError {
  return new KmsError('INTERNAL_ERROR', 'A failed unit of work cannot be committed.');
}
