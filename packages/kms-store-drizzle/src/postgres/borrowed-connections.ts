import { setTimeout as sleep } from 'node:timers/promises';
import { KmsError } from '@qnsp/kms-core';
import { CommitMarks } from '../commits/commit-marks.ts';
import type { Names } from '../driver/names.ts';
import { storeClosed, timedOut } from '../driver/store-errors.ts';
import { databaseOn, requireClient, simple } from './borrowed-client.ts';
import { type Borrowed, BorrowedConnection } from './borrowed-connection.ts';
import { wayOfClient } from './client-way.ts';
import { Connection, type ConnectionOptions } from './connection.ts';
import type { PostgresClientOptions } from './options.ts';
import { type ServerAccess, serverTimeoutOf, SLOTS_PER_CONNECTION } from './server-access.ts';
import type { UnitConnection, UnitConnections } from './unit-connection.ts';
import { wayTo } from './way-to-server.ts';

/** The connections of the application's client, which the store neither opens nor closes; only those for notices are its own. */
export class BorrowedConnections implements ServerAccess {
  readonly marks: CommitMarks;
  readonly connections: UnitConnections;
  readonly #borrowed: Omit<Borrowed, 'marks'>;
  readonly #senders: Omit<ConnectionOptions, 'name'>;
  readonly #listeners: Omit<ConnectionOptions, 'name'>;

  constructor(names: Names, options: PostgresClientOptions, limitMs: number) {
    const client = requireClient(options.client);
    const serverTimeoutMs = serverTimeoutOf(limitMs);
    const { notifyUrl, ssl } = options;
    if (notifyUrl !== undefined && ssl === undefined)
      throw new KmsError('BAD_REQUEST', 'With notifyUrl, ssl says how the connection to it is protected.');
    const dedicated = { names, serverTimeoutMs, pooled: true };
    this.#senders = { ...wayOfClient(client, options.connectTimeoutSeconds), ...dedicated };
    this.#listeners =
      notifyUrl === undefined || ssl === undefined
        ? this.#senders
        : { ...wayTo(notifyUrl, { ...options, ssl }), ...dedicated };
    this.marks = new CommitMarks(names, client.options.max * SLOTS_PER_CONNECTION);
    this.#borrowed = {
      client,
      db: databaseOn(client, names),
      names,
      serverTimeoutMs,
      requireStandby: options.requireStandby ?? false,
      knownUntil: -Infinity,
    };
    this.connections = new LimitedUse({ ...this.#borrowed, marks: this.marks }, limitMs);
  }

  async asOwner<T>(work: (connection: UnitConnection) => Promise<T>): Promise<T> {
    // What cannot be read later is found out now.
    await simple(this.#borrowed.client, `select now(), '\\x00'::bytea`);
    return work(new BorrowedConnection({ ...this.#borrowed, serverTimeoutMs: 0, requireStandby: false }));
  }

  listener(onNotify: (channel: string, payload: string) => void): Connection {
    return new Connection({ ...this.#listeners, name: 'qnsp-kms-notices', onNotify });
  }

  sender(): Connection {
    return new Connection({ ...this.#senders, name: 'qnsp-kms-heartbeats' });
  }
}

/** Limits how long each use takes, with the wait for one of the connections of the client, which hands them out. */
class LimitedUse implements UnitConnections {
  readonly #borrowed: Borrowed;
  readonly #limitMs: number;
  readonly #running = new Set<Promise<unknown>>();
  #closed = false;

  constructor(borrowed: Borrowed, limitMs: number) {
    this.#borrowed = borrowed;
    this.#limitMs = limitMs;
  }

  async use<T>(work: (connection: UnitConnection) => Promise<T>): Promise<T> {
    if (this.#closed) throw storeClosed();
    const connection = new BorrowedConnection(this.#borrowed);
    const expired = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      expired.reject(timedOut(this.#limitMs));
      connection.destroy();
    }, this.#limitMs);
    const running = work(connection);
    const ended = running.then(
      () => undefined,
      () => undefined,
    );
    this.#running.add(ended);
    // What took too long still holds a connection of the client, until its statement ends.
    void ended.then(() => this.#running.delete(ended));
    try {
      return await Promise.race([running, expired.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    // By then the server has ended every statement, and what still has no answer gets none.
    const waited = new AbortController();
    const limit = sleep(this.#limitMs, undefined, { signal: waited.signal }).catch(() => undefined);
    await Promise.race([Promise.all(this.#running), limit]);
    waited.abort();
  }
}
