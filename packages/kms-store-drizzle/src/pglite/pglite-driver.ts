import type { PGlite } from '@electric-sql/pglite';
import { KmsError } from '@qnsp/kms-core';
import type { StoreScope } from '@qnsp/kms-core/ports';
import { sql } from 'drizzle-orm';
import { PgliteDatabase, PgliteSession } from 'drizzle-orm/pglite';
import type { Db, Driver, TransactionOptions } from '../driver/driver.ts';
import type { Names } from '../driver/names.ts';
import { dialectFor } from '../driver/schema-dialect.ts';
import { scopeStatement } from '../driver/scope.ts';
import { storeClosed, timedOut, toStoreError } from '../driver/store-errors.ts';
import { lockDirectory } from './directory-lock.ts';
import { withOwnValues } from './borrowed-client.ts';
import type { PgliteClient } from './pglite-client.ts';
import { ensureDirectory, openCluster, openInMemory } from './open-cluster.ts';

const IN_MEMORY = 'memory://';

/** Opens PGlite on its own directory. */
export async function openPglite(names: Names, dataDir: string, limitMs: number): Promise<PgliteDriver> {
  const isInMemory = dataDir.startsWith(IN_MEMORY);
  let unlock = (): void => undefined;
  try {
    const directory = isInMemory ? undefined : ensureDirectory(dataDir.replace(/^file:\/\//, ''));
    if (directory !== undefined) unlock = lockDirectory(directory);
    const client = await (directory === undefined ? openInMemory(dataDir) : openCluster(directory));
    await client.exec(`set time zone 'UTC'`);
    return new PgliteDriver(names, client, limitMs, async () => {
      await client.close();
      unlock();
    });
  } catch (error) {
    unlock();
    if (KmsError.is(error)) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new KmsError('STORE_UNAVAILABLE', `The embedded database in ${dataDir} cannot be opened: ${why}`, {
      retryAfterSeconds: 1,
      cause: error,
    });
  }
}

/** On the application's own PGlite, which stays open. */
export function borrowPglite(names: Names, client: PgliteClient, limitMs: number): PgliteDriver {
  return new PgliteDriver(names, withOwnValues(client), limitMs, async () => undefined);
}

/** The driver for PGlite, which has one connection: everything runs one after another. */
export class PgliteDriver implements Driver {
  readonly names: Names;
  readonly #client: PGlite;
  readonly #db: PgliteDatabase;
  readonly #limitMs: number;
  readonly #release: () => Promise<void>;
  readonly #running = new Set<Promise<unknown>>();
  #unlisten: () => Promise<void> = async () => undefined;
  #closed = false;

  /** @param release called once everything on it has ended */
  constructor(names: Names, client: PGlite, limitMs: number, release: () => Promise<void>) {
    this.names = names;
    this.#client = client;
    const dialect = dialectFor(names);
    this.#db = new PgliteDatabase(dialect, new PgliteSession(client, dialect, undefined), undefined);
    this.#limitMs = limitMs;
    this.#release = release;
  }

  transaction<T>(scope: StoreScope, work: (db: Db, now: Date) => Promise<T>, options?: TransactionOptions): Promise<T> {
    const statement = scopeStatement(this.names, scope, options);
    const deadline = performance.now() + this.#limitMs;
    return this.#withinLimit((expired) =>
      this.#atomically(async (db) => {
        const now = await timeOf(db, statement);
        // The time may have run out while other units were ahead, without a turn for the timer: then the work must not begin.
        if (performance.now() >= deadline) throw timedOut(this.#limitMs);
        return Promise.race([work(db, now), expired]);
      }),
    );
  }

  statement<T>(query: (db: Db) => PromiseLike<T>): Promise<T> {
    return this.#withinLimit(async () => query(this.#db));
  }

  asOwner<T>(work: (db: Db) => Promise<T>): Promise<T> {
    return this.#atomically(work);
  }

  /** Hands over every notification of a channel, before the unit that sent it is known to be committed. */
  async listen(channel: string, onNotify: (payload: string) => void): Promise<void> {
    this.#unlisten = await this.#client.listen(channel, onNotify);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    // What ran out of time may still be running.
    await Promise.allSettled(this.#running);
    if (!this.#client.closed) await this.#unlisten();
    await this.#release();
  }

  async #withinLimit<T>(run: (expired: Promise<never>) => Promise<T>): Promise<T> {
    if (this.#closed) throw storeClosed();
    let timer: NodeJS.Timeout | undefined;
    const expired = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(timedOut(this.#limitMs)), this.#limitMs);
    });
    try {
      return await Promise.race([this.#tracked(run(expired)), expired]);
    } finally {
      clearTimeout(timer);
    }
  }

  #tracked<T>(work: Promise<T>): Promise<T> {
    this.#running.add(work);
    const ended = (): void => void this.#running.delete(work);
    work.then(ended, ended);
    return work;
  }

  async #atomically<T>(work: (db: PgliteTx) => Promise<T>): Promise<T> {
    const thrown: unknown[] = [];
    try {
      return await this.#db.transaction(async (db) => {
        const answer = await work(db).catch((error: unknown) => {
          thrown.push(error);
          throw error;
        });
        // PGlite ends a failed transaction with a COMMIT that silently rolls back; any statement fails in it.
        await db.execute(sql`select 1`);
        return answer;
      });
    } catch (error) {
      throw thrown.length === 0 ? toStoreError(error) : thrown[0];
    }
  }
}

type PgliteTx = Parameters<Parameters<PgliteDatabase['transaction']>[0]>[0];

async function timeOf(db: PgliteTx, statement: string): Promise<Date> {
  try {
    const { rows } = await db.execute<{ now: string }>(sql.raw(statement));
    return new Date(Number(rows[0]?.now));
  } catch (error) {
    throw toStoreError(error);
  }
}
