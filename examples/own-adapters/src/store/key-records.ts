import { type KeyId, KmsError } from '@qnsp/kms-core';
import {
  checkChange,
  checkKey,
  type DueKey,
  type KeyCounts,
  type KeyPage,
  type KeyQuery,
  type KeyRecord,
  type KeyRecords,
  type KnownUses,
  type OperationLease,
  type Room,
  type VersionUse,
} from '@qnsp/kms-core/ports';
import type { Row } from './database.ts';
import { fromText, toText } from './record-text.ts';
import { earliestMasterKey, type Unit } from './unit.ts';

export class SqliteKeys implements KeyRecords {
  readonly #unit: Unit;

  constructor(unit: Unit) {
    this.#unit = unit;
  }

  /** Units run one after another, so every key is locked. */
  async get(keyId: KeyId): Promise<KeyRecord | undefined> {
    const key = this.#read(keyId);
    return key !== undefined && this.#unit.sees(key.tenantId) ? key : undefined;
  }

  async insert(key: KeyRecord, { atMost }: Room = {}): Promise<void> {
    this.#unit.requireSeen(key.tenantId);
    if (this.#read(key.keyId) !== undefined) throw new KmsError('CONFLICT', 'The id of the key was used before.');
    this.#check(key);
    const used = `select count(*) as used from keys where tenant_id = ? and state <> 'destroyed'`;
    this.#unit.requireRoom('keys', atMost, used, key.tenantId);
    this.#unit.database.run(
      `insert into keys (key_id, tenant_id, created_at, state, algorithm, purpose, name, parent_key_id, revision, rotates_at,
        destroys_at, record, tmk_version) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      key.keyId,
      key.tenantId,
      key.createdAt.getTime(),
      ...columnsOf(key),
    );
  }

  async update(key: KeyRecord, expectedRevision: number): Promise<void> {
    this.#unit.requireSeen(key.tenantId);
    const current = this.#read(key.keyId);
    if (current?.tenantId !== key.tenantId || current.revision !== expectedRevision)
      throw new KmsError('CONFLICT', 'The key was changed by another call. Read it again.');
    this.#check(key, current);
    this.#unit.database.run(
      `update keys set state = ?, algorithm = ?, purpose = ?, name = ?, parent_key_id = ?, revision = ?, rotates_at = ?,
        destroys_at = ?, record = ?, tmk_version = ? where key_id = ?`,
      ...columnsOf(key),
      key.keyId,
    );
    this.#unit.changes.push({ kind: 'key', keyId: key.keyId });
  }

  async list({ limit, after, state, algorithm, purpose, name }: KeyQuery): Promise<KeyPage> {
    const { only } = this.#unit;
    const at = after?.createdAt.getTime() ?? null;
    const rows = this.#unit.database.rows(
      `select record from keys where (?1 is null or tenant_id = ?1) and (?2 is null or state = ?2)
        and (?3 is null or algorithm = ?3) and (?4 is null or purpose = ?4) and (?5 is null or name = ?5)
        and (?6 is null or (created_at, key_id) < (?6, ?7)) order by created_at desc, key_id desc limit ?8`,
      only,
      state ?? null,
      algorithm ?? null,
      purpose ?? null,
      name ?? null,
      at,
      after?.keyId ?? null,
      limit + 1,
    );
    return { items: rows.slice(0, limit).map(toKey), more: rows.length > limit };
  }

  async count(): Promise<KeyCounts> {
    const { database, only } = this.#unit;
    const by = (column: 'state' | 'algorithm'): Record<string, number> => {
      const rows = database.rows(
        `select ${column} as name, count(*) as keys from keys where (?1 is null or tenant_id = ?1) group by ${column}`,
        only,
      );
      return Object.fromEntries(rows.map(({ name, keys }) => [String(name), Number(keys)]));
    };
    const used = database.row(
      'select coalesce(sum(count), 0) as sum from operations where (?1 is null or tenant_id = ?1) and month = ?2',
      only,
      this.#month,
    );
    return { byState: by('state'), byAlgorithm: by('algorithm'), operationsThisMonth: Number(used?.['sum']) };
  }

  async addOperations(count: number): Promise<number> {
    const { database, only } = this.#unit;
    if (only === null) throw new KmsError('INTERNAL_ERROR', 'Operations are counted for one tenant.');
    const row = database.row(
      'insert into operations values (?, ?, ?) on conflict do update set count = count + excluded.count returning count',
      only,
      this.#month,
      count,
    );
    return Number(row?.['count']);
  }

  async children(keyId: KeyId): Promise<readonly KeyId[]> {
    const { database, only } = this.#unit;
    const sql = 'select key_id from keys where parent_key_id = ?1 and (?2 is null or tenant_id = ?2) order by key_id';
    return database.rows(sql, keyId, only).map((row) => String(row['key_id']));
  }

  async lockDue(due: 'rotation' | 'destruction', limit: number, after?: DueKey): Promise<readonly KeyRecord[]> {
    this.#unit.requireSystem();
    const at = due === 'rotation' ? 'rotates_at' : 'destroys_at';
    const { database, now } = this.#unit;
    const rows = database.rows(
      `select keys.record from keys join tenants t using (tenant_id) where ${at} <= ?1 and t.state = 'active'
        and (?2 is null or (${at}, key_id) > (?2, ?3)) order by ${at}, key_id limit ?4`,
      now.getTime(),
      after?.at.getTime() ?? null,
      after?.keyId ?? null,
      limit,
    );
    return rows.map(toKey);
  }

  async scheduledRotations(limit: number, before: Date | null): Promise<readonly KeyRecord[]> {
    const { database, only } = this.#unit;
    const rows = database.rows(
      `select record from keys where rotates_at is not null and (?1 is null or tenant_id = ?1)
        and (?2 is null or rotates_at < ?2) order by rotates_at, key_id limit ?3`,
      only,
      before?.getTime() ?? null,
      limit,
    );
    return rows.map(toKey);
  }

  async leaseOperations({ keyId, version, budget, count }: OperationLease): Promise<number> {
    const key = await this.get(keyId);
    if (key === undefined) return 0;
    if (version > 0 && !key.versions.some((each) => each.version === version))
      throw new KmsError('INTERNAL_ERROR', 'The version of the budget does not exist.');
    const { database } = this.#unit;
    const row = database.row('select granted from budgets where key_id = ? and version = ?', keyId, version);
    const before = Number(row?.['granted'] ?? 0);
    const granted = Math.min(count, Math.max(0, budget - before));
    database.run(
      'insert into budgets values (?, ?, ?) on conflict do update set granted = excluded.granted',
      keyId,
      version,
      before + granted,
    );
    return granted;
  }

  async recordUses(uses: readonly VersionUse[]): Promise<void> {
    this.#unit.requireSystem();
    for (const { keyId, version, protectedAt, processedAt } of uses) {
      if (!this.#read(keyId)?.versions.some((each) => each.version === version)) continue;
      this.#unit.database.run(
        `insert into version_uses values (?, ?, ?, ?) on conflict do update set
          protected_at = max(coalesce(protected_at, excluded.protected_at), coalesce(excluded.protected_at, protected_at)),
          processed_at = max(coalesce(processed_at, excluded.processed_at), coalesce(excluded.processed_at, processed_at))`,
        keyId,
        version,
        protectedAt?.getTime() ?? null,
        processedAt?.getTime() ?? null,
      );
    }
  }

  async lastUses(keyIds: readonly KeyId[]): Promise<KnownUses> {
    const { database, only } = this.#unit;
    const rows = keyIds.flatMap((keyId) =>
      database.rows(
        `select key_id, version, protected_at, processed_at from version_uses natural join keys
          where key_id = ?1 and (?2 is null or tenant_id = ?2) order by version`,
        keyId,
        only,
      ),
    );
    const versions = rows.map((row) => ({
      keyId: String(row['key_id']),
      version: Number(row['version']),
      protectedAt: timeOf(row['protected_at']),
      processedAt: timeOf(row['processed_at']),
    }));
    // The table was there from the first start on.
    return { since: new Date(0), versions };
  }

  async leasedOperations(keyIds: readonly KeyId[]): Promise<ReadonlyMap<KeyId, ReadonlyMap<number, number>>> {
    const leased = new Map<KeyId, Map<number, number>>();
    for (const keyId of keyIds) {
      if ((await this.get(keyId)) === undefined) continue;
      const rows = this.#unit.database.rows('select version, granted from budgets where key_id = ?', keyId);
      if (rows.length > 0)
        leased.set(keyId, new Map(rows.map((row) => [Number(row['version']), Number(row['granted'])])));
    }
    return leased;
  }

  get #month(): string {
    return this.#unit.now.toISOString().slice(0, 7);
  }

  #read(keyId: KeyId): KeyRecord | undefined {
    const row = this.#unit.database.row('select record from keys where key_id = ?', keyId);
    return row && toKey(row);
  }

  #check(key: KeyRecord, current?: KeyRecord): void {
    this.#unit.requireActive(key.tenantId);
    this.#unit.requireMasterKey(key.tenantId, earliestMasterKey(key));
    try {
      if (key.parentKeyId !== null && this.#read(key.parentKeyId)?.tenantId !== key.tenantId)
        throw new KmsError('INTERNAL_ERROR', 'The parent of the key does not exist.');
      checkKey(key);
      if (current !== undefined) checkChange(current, key);
    } catch (error) {
      if (error instanceof KmsError) this.#unit.database.fail(error);
      throw error;
    }
  }
}

function timeOf(milliseconds: unknown): Date | null {
  return milliseconds === null ? null : new Date(Number(milliseconds));
}

export function toKey(row: Row): KeyRecord {
  // Nothing but insert and update writes these texts; what was changed behind their back no longer has the MAC that it names.
  return fromText(row['record']) as KeyRecord;
}

/** What changes of a key, in the order of the columns. */
function columnsOf(key: KeyRecord) {
  const { state, rotation, destroyAt } = key;
  const rotatesAt = state === 'active' && rotation.auto ? rotation.nextRotationAt : null;
  const destroysAt = state === 'destroyed' ? null : destroyAt;
  return [
    state,
    key.algorithm,
    key.purpose,
    key.name,
    key.parentKeyId,
    key.revision,
    rotatesAt?.getTime() ?? null,
    destroysAt?.getTime() ?? null,
    toText(key),
    earliestMasterKey(key),
  ];
}
