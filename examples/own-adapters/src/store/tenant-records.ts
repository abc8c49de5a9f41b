import { KmsError, type TenantId } from '@qnsp/kms-core';
import type {
  KeyRecord,
  KeyVersionRecord,
  MasterKeyCounts,
  MasterKeyName,
  MasterKeyWrap,
  RootRecord,
  TenantPage,
  TenantQuery,
  TenantRecord,
  TenantRecords,
  TenantUsage,
} from '@qnsp/kms-core/ports';
import type { Row } from './database.ts';
import { toKey } from './key-records.ts';
import { fromText, toText } from './record-text.ts';
import type { Unit } from './unit.ts';

export class SqliteTenants implements TenantRecords {
  readonly #unit: Unit;

  constructor(unit: Unit) {
    this.#unit = unit;
  }

  /** Units run one after another, so every tenant is locked. */
  async get(tenantId: TenantId): Promise<TenantRecord | undefined> {
    if (!this.#unit.sees(tenantId)) return undefined;
    const row = this.#unit.database.row('select record from tenants where tenant_id = ?', tenantId);
    return row && toTenant(row);
  }

  async insert(tenant: TenantRecord): Promise<void> {
    const { tenantId, state, createdAt } = tenant;
    this.#unit.requireSeen(tenantId);
    if ((await this.get(tenantId)) !== undefined)
      throw new KmsError('CONFLICT', 'The id of the tenant was used before.');
    const values = [tenantId, state, createdAt.getTime(), toText(tenant)];
    this.#unit.database.run(
      'insert into tenants (tenant_id, state, created_at, record) values (?, ?, ?, ?)',
      ...values,
    );
  }

  async shred({ tenantId, mac }: Pick<TenantRecord, 'tenantId' | 'mac'>): Promise<void> {
    const { database } = this.#unit;
    const tenant = await this.get(tenantId);
    if (tenant === undefined) throw new KmsError('NOT_FOUND', 'There is no tenant with this id.');
    this.#replace({ ...tenant, state: 'shredded', mac });
    database.run('delete from wraps where tenant_id = ?', tenantId);
    database.run('delete from answers where tenant_id = ? and answer is not null', tenantId);
    for (const row of database.rows('select record from keys where tenant_id = ?', tenantId)) {
      const key = withoutSealedMaterial(toKey(row));
      database.run('update keys set record = ? where key_id = ?', toText(key), key.keyId);
    }
  }

  async setFields({ tenantId, fields, mac }: Pick<TenantRecord, 'tenantId' | 'fields' | 'mac'>): Promise<void> {
    this.#unit.requireSystem();
    const tenant = await this.get(tenantId);
    if (tenant === undefined) throw new KmsError('NOT_FOUND', 'There is no tenant with this id.');
    const account = fields['account'];
    const others = 'select record from tenants where tenant_id <> ?';
    const isTaken = this.#unit.database
      .rows(others, tenantId)
      .some((row) => toTenant(row).fields['account'] === account);
    if (account !== undefined && isTaken) throw new KmsError('CONFLICT', 'Another tenant has this account.');
    this.#replace({ ...tenant, fields, mac });
  }

  async usage(tenantId: TenantId): Promise<TenantUsage> {
    const { database, only, now } = this.#unit;
    const month = now.toISOString().slice(0, 7);
    const row = database.row(
      `select
        (select count(*) from keys where tenant_id = t.tenant_id and state <> 'destroyed') as keys,
        (select count(*) from tokens where tenant_id = t.tenant_id and revoked_at is null and overlap_end is null
          and (expires_at is null or expires_at > ?2)) as tokens,
        (select count(*) from bindings where tenant_id = t.tenant_id and removed_at is null) as bindings,
        (select sum(count) from operations where tenant_id = t.tenant_id and month = ?3) as operations,
        (select count(*) from answers where tenant_id = t.tenant_id and expires_at > ?2) as answers
        from tenants t where tenant_id = ?1 and (?4 is null or tenant_id = ?4)`,
      tenantId,
      now.getTime(),
      month,
      only,
    );
    const number = (name: string) => Number(row?.[name] ?? 0);
    return {
      keys: number('keys'),
      tokens: number('tokens'),
      identityBindings: number('bindings'),
      operationsThisMonth: number('operations'),
      keptAnswers: number('answers'),
    };
  }

  async list({ limit, after }: TenantQuery): Promise<TenantPage> {
    const { database, only } = this.#unit;
    const rows = database.rows(
      `select record from tenants where (?1 is null or tenant_id = ?1) and (?2 is null or (created_at, tenant_id) > (?2, ?3))
        order by created_at, tenant_id limit ?4`,
      only,
      after?.createdAt.getTime() ?? null,
      after?.tenantId ?? null,
      limit + 1,
    );
    return { items: rows.slice(0, limit).map(toTenant), more: rows.length > limit };
  }

  async bind(
    { tenantId, mac }: Pick<TenantRecord, 'tenantId' | 'mac'>,
    wraps: readonly MasterKeyWrap[],
  ): Promise<void> {
    this.#unit.requireSystem();
    const tenant = await this.get(tenantId);
    if (tenant === undefined) throw new KmsError('NOT_FOUND', 'There is no tenant with this id.');
    this.#replace({ ...tenant, mac });
    this.#unit.database.run('delete from wraps where tenant_id = ?', tenantId);
    await this.addMasterKeyWraps(wraps);
  }

  async masterKeyWraps(tenantId: TenantId): Promise<readonly MasterKeyWrap[]> {
    if (!this.#unit.sees(tenantId)) return [];
    const sql = 'select * from wraps where tenant_id = ? order by tmk_version, provider_id, check_value';
    return this.#unit.database.rows(sql, tenantId).map(toWrap);
  }

  async addMasterKeyWraps(wraps: readonly MasterKeyWrap[]): Promise<void> {
    const { database } = this.#unit;
    for (const { tenantId, tmkVersion, providerId, rootCheckValue, format, wrapped } of wraps) {
      this.#unit.requireSeen(tenantId);
      this.#unit.requireActive(tenantId);
      this.#unit.requireMasterKey(tenantId, tmkVersion);
      if (!this.#isInUse({ providerId, checkValue: rootCheckValue }))
        throw new KmsError('CONFLICT', 'The root is not in use.');
      const name = [tenantId, tmkVersion, providerId, rootCheckValue];
      const known =
        'select 1 from wraps where tenant_id = ? and tmk_version = ? and provider_id = ? and check_value = ?';
      if (database.row(known, ...name) !== undefined)
        throw new KmsError('CONFLICT', 'This version of the master key has a wrap under this root.');
      database.run('insert into wraps values (?, ?, ?, ?, ?, ?)', ...name, format, wrapped);
    }
  }

  async roots(): Promise<readonly RootRecord[]> {
    this.#unit.requireSystem();
    return this.#unit.database.rows('select * from roots order by provider_id, check_value').map(toRoot);
  }

  async addRoot(root: RootRecord): Promise<void> {
    this.#unit.requireSystem();
    if (this.#isInUse(root)) throw new KmsError('CONFLICT', 'The root is in use already.');
    this.#unit.database.run('insert into roots values (?, ?)', root.providerId, root.checkValue);
  }

  async removeRoot(root: RootRecord): Promise<void> {
    this.#unit.requireSystem();
    const { database } = this.#unit;
    const name = [root.providerId, root.checkValue];
    if (!this.#isInUse(root)) throw new KmsError('NOT_FOUND', 'The root is not in use.');
    const alone = database.row(
      `select 1 from wraps w where provider_id = ?1 and check_value = ?2 and not exists (select 1 from wraps o
        where o.tenant_id = w.tenant_id and o.tmk_version = w.tmk_version
        and (o.provider_id, o.check_value) <> (?1, ?2))`,
      ...name,
    );
    if (alone !== undefined || (await this.roots()).length === 1)
      throw new KmsError('CONFLICT', 'Nothing else opens what this root wraps.');
    database.run('delete from wraps where provider_id = ? and check_value = ?', ...name);
    database.run('delete from roots where provider_id = ? and check_value = ?', ...name);
  }

  async masterKeysLacking({ providerId, checkValue }: RootRecord, limit: number): Promise<readonly MasterKeyName[]> {
    this.#unit.requireSystem();
    const rows = this.#unit.database.rows(
      `select distinct tenant_id, tmk_version from wraps w where not exists (select 1 from wraps o
        where o.tenant_id = w.tenant_id and o.tmk_version = w.tmk_version and o.provider_id = ?1 and o.check_value = ?2)
        order by tenant_id, tmk_version limit ?3`,
      providerId,
      checkValue,
      limit,
    );
    return rows.map((row) => ({ tenantId: String(row['tenant_id']), tmkVersion: Number(row['tmk_version']) }));
  }

  async countMasterKeys(): Promise<MasterKeyCounts> {
    this.#unit.requireSystem();
    const { database } = this.#unit;
    const total = database.row('select count(*) as n from (select distinct tenant_id, tmk_version from wraps)');
    const rows = database.rows(
      `select provider_id, check_value, count(tenant_id) as n from roots left join wraps using (provider_id, check_value)
        group by provider_id, check_value order by provider_id, check_value`,
    );
    return { total: Number(total?.['n']), byRoot: rows.map((row) => ({ ...toRoot(row), wraps: Number(row['n']) })) };
  }

  /** Units run one after another, so every one has the roots to itself. */
  async lockRoots(): Promise<void> {
    this.#unit.requireSystem();
    this.#unit.database.row('select 1');
  }

  #isInUse({ providerId, checkValue }: RootRecord): boolean {
    const sql = 'select 1 from roots where provider_id = ? and check_value = ?';
    return this.#unit.database.row(sql, providerId, checkValue) !== undefined;
  }

  #replace(tenant: TenantRecord): void {
    const sql = 'update tenants set state = ?, record = ? where tenant_id = ?';
    this.#unit.database.run(sql, tenant.state, toText(tenant), tenant.tenantId);
    this.#unit.changes.push({ kind: 'tenant', tenantId: tenant.tenantId });
  }
}

function toTenant(row: Row): TenantRecord {
  // As insert, shred and bind wrote it, or its MAC is wrong.
  return fromText(row['record']) as TenantRecord;
}

function toRoot(row: Row): RootRecord {
  return { providerId: String(row['provider_id']), checkValue: String(row['check_value']) };
}

function toWrap(row: Row): MasterKeyWrap {
  const { providerId, checkValue: rootCheckValue } = toRoot(row);
  const wrapped = row['wrapped'];
  if (!(wrapped instanceof Uint8Array)) throw new KmsError('INTERNAL_ERROR', 'A wrap holds no bytes.');
  return {
    tenantId: String(row['tenant_id']),
    tmkVersion: Number(row['tmk_version']),
    providerId,
    rootCheckValue,
    format: Number(row['format']),
    wrapped,
  };
}

function withoutSealedMaterial(key: KeyRecord): KeyRecord {
  const versions = key.versions.map(
    (version): KeyVersionRecord =>
      version.material.kind === 'sealed' ? { ...version, material: { kind: 'none' } } : version,
  );
  return { ...key, versions };
}
