import { type KeyId, Storage, type TenantId } from '@qnsp/kms-core';
import {
  type ApiTokenRecord,
  InProcessFeed,
  type KeyRecord,
  type Store,
  type StoreScope,
  type UnitOfWork,
} from '@qnsp/kms-core/ports';
import { Database } from './database.ts';
import { SqliteApprovals } from './approval-records.ts';
import { SqliteEvidenceRecords } from './evidence-records.ts';
import { SqliteEvidenceStore } from './evidence-store.ts';
import { SqliteIdentities } from './identity-records.ts';
import { SqliteIdempotency } from './idempotency-records.ts';
import { SqliteKeys, toKey } from './key-records.ts';
import { SqliteResidents } from './resident-claims.ts';
import { SqliteMigrations } from './migration-records.ts';
import { SCHEMA } from './schema.ts';
import { SqliteSeals } from './seal-records.ts';
import { SqliteTenants } from './tenant-records.ts';
import { SqliteTokens, toToken } from './token-records.ts';
import { Unit } from './unit.ts';
import { UnitQueue } from './unit-queue.ts';

/**
 * Opens the file, or makes it, for this process alone, which therefore knows every change.
 *
 * @param path of the file; beside it there are the files of its write-ahead log and of its lock
 * @throws KmsError `STORE_UNAVAILABLE` while another process has it open
 */
export function openSqliteStore(path: string): Storage {
  // Held by the operating system, which lets go of it when the process ends in whatever way.
  const lock = new Database(`${path}-lock`);
  const opened: Database[] = [lock];
  try {
    lock.execute('pragma locking_mode = exclusive; begin exclusive;');
    const writer = new Database(path);
    opened.push(writer);
    // A commit is answered only once it is on the disk, as the contract asks for.
    writer.execute('pragma journal_mode = wal; pragma synchronous = full;');
    writer.execute(SCHEMA);
    const reader = new Database(path, { readOnly: true });
    opened.push(reader);
    const queue = new UnitQueue(writer);
    const changes = new InProcessFeed();
    return new Storage({
      store: new SqliteStore(queue, reader, changes),
      evidence: new SqliteEvidenceStore(queue),
      changes,
      close: async () => {
        await queue.close();
        for (const database of opened.toReversed()) database.close();
      },
    });
  } catch (error) {
    for (const database of opened.toReversed()) database.close();
    throw error;
  }
}

class SqliteStore implements Store {
  readonly #queue: UnitQueue;
  /** Sees what is committed and nothing else, whatever unit is running. */
  readonly #reader: Database;
  readonly #changes: InProcessFeed;
  #lastNow = 0;

  constructor(queue: UnitQueue, reader: Database, changes: InProcessFeed) {
    this.#queue = queue;
    this.#reader = reader;
    this.#changes = changes;
  }

  async transact<T>(scope: StoreScope, work: (unit: UnitOfWork) => Promise<T>): Promise<T> {
    let last: Unit | undefined;
    return this.#queue.run(
      async (database) => {
        const unit = new Unit(database, scope, this.#now());
        last = unit;
        try {
          return await work({
            now: new Date(unit.now),
            keys: new SqliteKeys(unit),
            tenants: new SqliteTenants(unit),
            tokens: new SqliteTokens(unit),
            identities: new SqliteIdentities(unit),
            idempotency: new SqliteIdempotency(unit),
            evidence: new SqliteEvidenceRecords(unit),
            residents: new SqliteResidents(unit),
            seals: new SqliteSeals(unit),
            migrations: new SqliteMigrations(unit),
            approvals: new SqliteApprovals(unit),
          });
        } finally {
          unit.end();
        }
      },
      // Before anybody hears of the commit.
      () => {
        for (const change of last?.changes ?? []) this.#changes.deliver(change);
      },
    );
  }

  async readKey(tenantId: TenantId, keyId: KeyId): Promise<KeyRecord | undefined> {
    const row = this.#reader.row('select record from keys where key_id = ? and tenant_id = ?', keyId, tenantId);
    return row && toKey(row);
  }

  async findToken(hash: Uint8Array): Promise<ApiTokenRecord | undefined> {
    const row = this.#reader.row('select record from tokens where hash = ?', hash);
    return row && toToken(row);
  }

  async ping(): Promise<void> {
    this.#reader.row('select 1 from tenants limit 1');
  }

  /** The clock of the machine, which may be put back; that of the store never goes back. */
  #now(): Date {
    this.#lastNow = Math.max(this.#lastNow, Date.now());
    return new Date(this.#lastNow);
  }
}
