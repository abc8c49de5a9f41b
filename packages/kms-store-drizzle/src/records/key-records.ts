import {
  type DueKey,
  type KeyCounts,
  type KeyId,
  type KeyPage,
  type KeyQuery,
  type KeyRecord,
  type KeyRecords,
  KmsError,
  type OperationLease,
} from '@qnsp/kms-core';
import { and, eq, sql } from 'drizzle-orm';
import { keyVersions } from '../schema/key-versions.ts';
import { keyRecords, keys } from '../schema/keys.ts';
import { requireSeen, within } from '../scope.ts';
import type { Session } from '../session.ts';
import { addOperations } from './operation-counts.ts';
import { childrenOf, countKeys, listKeys, lockDueKeys, scheduledRotations } from './key-lists.ts';
import { toKeyRow, toVersionRow } from './key-rows.ts';
import { leaseOperations } from './operation-leases.ts';
import { readKeys } from './read-keys.ts';
import { type VersionChange, versionChanges } from './version-changes.ts';

export class DrizzleKeys implements KeyRecords {
  readonly #session: Session;
  /** The keys as this unit knows them to be stored: what an update compares with. */
  readonly #known = new Map<KeyId, KeyRecord>();

  constructor(session: Session) {
    this.#session = session;
  }

  async get(keyId: KeyId, options: { readonly lock?: boolean } = {}): Promise<KeyRecord | undefined> {
    // Two statements: the versions that a statement reads beside a row that it had to wait for are from before the wait.
    if (options.lock && !(await this.#lock(keyId))) return undefined;
    const [key] = await readKeys(this.#session, { name: 'get_key', where: eq(keyRecords.keyId, keyId) });
    if (key !== undefined) this.#known.set(keyId, key);
    return key;
  }

  async insert(key: KeyRecord): Promise<void> {
    requireSeen(this.#session.scope, key.tenantId);
    const inserted = await this.#session.run((db) =>
      db
        .insert(keys)
        .values(toKeyRow(key))
        .onConflictDoNothing()
        .returning({ keyId: keys.keyId })
        .prepare('insert_key')
        .execute(),
    );
    if (inserted.length === 0) throw new KmsError('CONFLICT', 'The id of the key was used before.');
    await this.#insertVersions(key, key.versions);
    this.#known.set(key.keyId, key);
  }

  async update(key: KeyRecord, expectedRevision: number): Promise<void> {
    requireSeen(this.#session.scope, key.tenantId);
    const known = this.#known.get(key.keyId) ?? (await this.get(key.keyId));
    if (known?.revision !== expectedRevision) throw changedMeanwhile();
    const { added, changed } = versionChanges(known, key);
    const where = and(eq(keys.keyId, key.keyId), eq(keys.tenantId, key.tenantId), eq(keys.revision, expectedRevision));
    const updated = await this.#session.run((db) =>
      db.update(keys).set(toKeyRow(key)).where(where).returning({ keyId: keys.keyId }).prepare('update_key').execute(),
    );
    if (updated.length === 0) throw changedMeanwhile();
    // The version that was active makes room before the next one comes.
    await this.#changeVersions(key, changed);
    await this.#insertVersions(key, added);
    this.#known.set(key.keyId, key);
  }

  list(query: KeyQuery): Promise<KeyPage> {
    return listKeys(this.#session, query);
  }

  count(): Promise<KeyCounts> {
    return countKeys(this.#session);
  }

  addOperations(count: number): Promise<void> {
    return addOperations(this.#session, count);
  }

  children(keyId: KeyId): Promise<readonly KeyId[]> {
    return childrenOf(this.#session, keyId);
  }

  lockDue(due: 'rotation' | 'destruction', limit: number, after?: DueKey): Promise<readonly KeyRecord[]> {
    return lockDueKeys(this.#session, due, limit, after);
  }

  scheduledRotations(limit: number, before: Date | null): Promise<readonly KeyRecord[]> {
    return scheduledRotations(this.#session, limit, before);
  }

  leaseOperations(lease: OperationLease): Promise<number> {
    return leaseOperations(this.#session, lease);
  }

  async #lock(keyId: KeyId): Promise<boolean> {
    const where = and(eq(keys.keyId, keyId), within(this.#session.scope, keys.tenantId));
    const locked = await this.#session.run((db) =>
      db.select({ keyId: keys.keyId }).from(keys).where(where).for('update').prepare('lock_key').execute(),
    );
    return locked.length > 0;
  }

  async #insertVersions(key: KeyRecord, versions: KeyRecord['versions']): Promise<void> {
    if (versions.length === 0) return;
    const rows = versions.map((version) => toVersionRow(key, version));
    await this.#session.run((db) => db.insert(keyVersions).values(rows).prepare('insert_versions').execute());
  }

  async #changeVersions(key: KeyRecord, changes: readonly VersionChange[]): Promise<void> {
    if (changes.length === 0) return;
    const kept = (column: string) => sql`case when change."drop" then null else ${sql.identifier(column)} end`;
    const list = JSON.stringify(changes);
    await this.#session.run((db) =>
      db
        .update(keyVersions)
        .set({
          state: sql`change.state`,
          materialKind: sql`case when change."drop" then 'none' else material_kind end`,
          tmkVersion: kept('tmk_version'),
          sealed: kept('sealed'),
          handle: kept('handle'),
        })
        .from(sql`jsonb_to_recordset(${list}::jsonb) as change("version" integer, "state" text, "drop" boolean)`)
        .where(
          and(
            eq(keyVersions.tenantId, key.tenantId),
            eq(keyVersions.keyId, key.keyId),
            sql`${keyVersions.version} = change.version`,
          ),
        )
        .prepare('change_versions')
        .execute(),
    );
  }
}

function changedMeanwhile(): KmsError {
  return new KmsError('CONFLICT', 'The key was changed by another call. Read it again.');
}
