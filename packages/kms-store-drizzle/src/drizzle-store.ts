import type { KeyId, TenantId } from '@qnsp/kms-core';
import type { ApiTokenRecord, FirstLock, KeyRecord, Store, StoreScope, UnitOfWork } from '@qnsp/kms-core/ports';
import { type Column, getTableColumns, getViewSelectedFields, sql } from 'drizzle-orm';
import { builtOnce } from './driver/built-once.ts';
import type { Db, Driver } from './driver/driver.ts';
import { DrizzleApprovals } from './records/approval-records.ts';
import { DrizzleEvidenceRecords } from './records/evidence-records.ts';
import { DrizzleIdentities } from './records/identity-records.ts';
import { DrizzleIdempotency } from './records/idempotency-records.ts';
import { DrizzleKeys } from './records/key-records.ts';
import { DrizzleMigrations } from './records/migration-records.ts';
import { type SentLock, sendLock } from './records/sent-lock.ts';
import { toKeyRecord } from './records/key-rows.ts';
import { DrizzleResidents } from './records/resident-records.ts';
import { DrizzleSeals } from './records/seal-records.ts';
import { DrizzleTenants } from './records/tenant-records.ts';
import { DrizzleTokens } from './records/token-records.ts';
import { toTokenRecord } from './records/token-rows.ts';
import { apiTokens } from './schema/api-tokens.ts';
import { kms } from './schema/columns.ts';
import { keyRecords } from './schema/keys.ts';
import { Session } from './driver/session.ts';
import { toStoreError } from './driver/store-errors.ts';

/** The store on any driver. */
export class DrizzleStore implements Store {
  readonly #driver: Driver;

  constructor(driver: Driver) {
    this.#driver = driver;
  }

  transact<T>(scope: StoreScope, work: (unit: UnitOfWork) => Promise<T>, first?: FirstLock): Promise<T> {
    let sent: SentLock | undefined;
    const inUnit = async (db: Db, now: Date) => {
      const session = new Session(this.#driver.names, scope, now, db);
      try {
        return await work(unitOf(session, sent));
      } finally {
        session.end();
      }
    };
    if (first === undefined) return this.#driver.transaction(scope, inUnit);
    return this.#driver.transaction(scope, inUnit, { ahead: (db) => (sent = sendLock(db, scope, first)) });
  }

  async readKey(tenantId: TenantId, keyId: KeyId): Promise<KeyRecord | undefined> {
    const [row] = await this.#read((db) => readKey(db).execute({ tenantId, keyId }));
    return row === undefined ? undefined : toKeyRecord(row);
  }

  async findToken(hash: Uint8Array): Promise<ApiTokenRecord | undefined> {
    const [row] = await this.#read((db) => findToken(db).execute({ hash }));
    return row === undefined ? undefined : toTokenRecord(row);
  }

  async ping(): Promise<void> {
    await this.#read((db) => db.execute(sql`select 1`));
  }

  async #read<T>(query: (db: Db) => PromiseLike<T>): Promise<T> {
    try {
      return await this.#driver.statement(query);
    } catch (error) {
      throw toStoreError(error);
    }
  }
}

/** Most units of work are about one or two kinds of records: those of the others are not made. */
function unitOf(session: Session, sent: SentLock | undefined): UnitOfWork {
  let keys: DrizzleKeys | undefined;
  let tenants: DrizzleTenants | undefined;
  let tokens: DrizzleTokens | undefined;
  let identities: DrizzleIdentities | undefined;
  let idempotency: DrizzleIdempotency | undefined;
  let evidence: DrizzleEvidenceRecords | undefined;
  let residents: DrizzleResidents | undefined;
  let seals: DrizzleSeals | undefined;
  let migrations: DrizzleMigrations | undefined;
  let approvals: DrizzleApprovals | undefined;
  return {
    now: session.now,
    get keys() {
      return (keys ??= new DrizzleKeys(session, sent));
    },
    get tenants() {
      return (tenants ??= new DrizzleTenants(session));
    },
    get tokens() {
      return (tokens ??= new DrizzleTokens(session));
    },
    get identities() {
      return (identities ??= new DrizzleIdentities(session));
    },
    get idempotency() {
      return (idempotency ??= new DrizzleIdempotency(session));
    },
    get evidence() {
      return (evidence ??= new DrizzleEvidenceRecords(session));
    },
    get residents() {
      return (residents ??= new DrizzleResidents(session));
    },
    get seals() {
      return (seals ??= new DrizzleSeals(session));
    },
    get migrations() {
      return (migrations ??= new DrizzleMigrations(session));
    },
    get approvals() {
      return (approvals ??= new DrizzleApprovals(session));
    },
  };
}

// The reads outside units of work: the functions that they call take role and scope in the same round trip.

const readKey = builtOnce((db) =>
  db
    .select(columnsOfAnswer(getViewSelectedFields(keyRecords)))
    .from(sql`${kms}.read_key(${sql.placeholder('tenantId')}, ${sql.placeholder('keyId')})`)
    .prepare('read_key'),
);

const findToken = builtOnce((db) =>
  db
    .select(columnsOfAnswer(getTableColumns(apiTokens)))
    .from(sql`${kms}.find_token(${sql.placeholder('hash')})`)
    .prepare('find_token'),
);

/** The columns of a function that answers rows of a table or view: drizzle knows those of tables and views only. */
function columnsOfAnswer<T extends Record<string, Column>>(columns: T): T {
  const names = Object.entries(columns).map(([field, column]) => {
    return [field, sql`${sql.identifier(column.name)}`.mapWith(column)];
  });
  // Each is selected by its name and decoded by its column, as the column itself would be.
  return Object.fromEntries(names) as T;
}
