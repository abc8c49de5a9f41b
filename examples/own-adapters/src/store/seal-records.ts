import { type KeyId, KmsError, type TenantId } from '@qnsp/kms-core';
import {
  checkReseal,
  type FoundIdentities,
  type KeyRecord,
  type RecordMac,
  type SealCounts,
  type SealRecords,
} from '@qnsp/kms-core/ports';
import { toBinding, toDenial } from './identity-records.ts';
import { toKey } from './key-records.ts';
import type { Row } from './database.ts';
import { toText } from './record-text.ts';
import { earliestMasterKey, type Unit } from './unit.ts';

export class SqliteSeals implements SealRecords {
  readonly #unit: Unit;

  constructor(unit: Unit) {
    this.#unit = unit;
  }

  async unfinished(limit: number, after: TenantId | null): Promise<readonly TenantId[]> {
    this.#unit.requireSystem();
    const rows = this.#unit.database.rows(
      `select tenant_id from wraps where ?1 is null or tenant_id > ?1 group by tenant_id
        having max(tmk_version) > min(tmk_version) order by tenant_id limit ?2`,
      after,
      limit,
    );
    return rows.map((row) => String(row['tenant_id']));
  }

  async count(tenantId: TenantId, tmkVersion: number): Promise<SealCounts> {
    if (!this.#unit.sees(tenantId)) return { total: 0, left: 0 };
    const row = this.#unit.database.row(
      `select count(*) as total, coalesce(sum(tmk_version < ?2), 0) as left from (
        select tmk_version from keys where tenant_id = ?1 union all select tmk_version from bindings where tenant_id = ?1
        union all select tmk_version from denials where tenant_id = ?1)`,
      tenantId,
      tmkVersion,
    );
    return { total: Number(row?.['total']), left: Number(row?.['left']) };
  }

  async lockKeys(
    tenantId: TenantId,
    tmkVersion: number,
    limit: number,
    except: readonly KeyId[],
  ): Promise<readonly KeyRecord[]> {
    return this.#earlier('keys', 'key_id', tenantId, tmkVersion, limit, except).map(toKey);
  }

  async resealKey(key: KeyRecord): Promise<void> {
    const { keyId, tenantId } = key;
    const earliest = earliestMasterKey(key);
    this.#check(tenantId, earliest, () => {
      const row = this.#unit.database.row('select record from keys where key_id = ?', keyId);
      if (row === undefined) throw new KmsError('INTERNAL_ERROR', 'There is no such key.');
      checkReseal(toKey(row), key);
    });
    const sql = 'update keys set tmk_version = ?, record = ? where key_id = ?';
    this.#unit.database.run(sql, earliest, toText(key), keyId);
    this.#unit.changes.push({ kind: 'key', keyId });
  }

  async lockIdentities(
    tenantId: TenantId,
    tmkVersion: number,
    limit: number,
    except: readonly string[],
  ): Promise<FoundIdentities> {
    return {
      bindings: this.#earlier('bindings', 'binding_id', tenantId, tmkVersion, limit, except).map(toBinding),
      denials: this.#earlier('denials', 'denial_id', tenantId, tmkVersion, limit, except).map(toDenial),
    };
  }

  async resealIdentities({ bindings, denials }: FoundIdentities): Promise<void> {
    for (const binding of bindings) this.#resealMac('bindings', 'binding_id', binding.bindingId, binding, toBinding);
    for (const denial of denials) this.#resealMac('denials', 'denial_id', denial.denialId, denial, toDenial);
  }

  async retire(tenantId: TenantId, tmkVersion: number): Promise<void> {
    this.#unit.requireSystem();
    const { database } = this.#unit;
    const newest = database.row('select max(tmk_version) as version from wraps where tenant_id = ?', tenantId);
    if ((await this.count(tenantId, tmkVersion)).left > 0 || newest?.['version'] !== tmkVersion)
      throw new KmsError('CONFLICT', 'The master key is still needed.');
    database.run('delete from wraps where tenant_id = ? and tmk_version < ?', tenantId, tmkVersion);
    database.run('update tenants set oldest_tmk_version = ? where tenant_id = ?', tmkVersion, tenantId);
    this.#unit.changes.push({ kind: 'tenant', tenantId });
  }

  #earlier(
    table: 'keys' | 'bindings' | 'denials',
    id: string,
    tenantId: TenantId,
    tmkVersion: number,
    limit: number,
    except: readonly string[],
  ) {
    if (!this.#unit.sees(tenantId)) return [];
    return this.#unit.database.rows(
      `select record from ${table} where tenant_id = ?1 and tmk_version < ?2
        and ${id} not in (select value from json_each(?3)) order by tmk_version, ${id} limit ?4`,
      tenantId,
      tmkVersion,
      JSON.stringify(except),
      limit,
    );
  }

  #resealMac(
    table: 'bindings' | 'denials',
    id: string,
    recordId: string,
    { tenantId, mac }: { readonly tenantId: TenantId; readonly mac: RecordMac },
    toRecord: (row: Row) => object,
  ): void {
    const stored = this.#check(tenantId, mac.tmkVersion, () => {
      const row = this.#unit.database.row(`select tmk_version, record from ${table} where ${id} = ?`, recordId);
      if (row === undefined || Number(row['tmk_version']) >= mac.tmkVersion)
        throw new KmsError('INTERNAL_ERROR', 'The record is not under an earlier master key.');
      return toRecord(row);
    });
    const sql = `update ${table} set tmk_version = ?, record = ? where ${id} = ?`;
    this.#unit.database.run(sql, mac.tmkVersion, toText({ ...stored, mac }), recordId);
  }

  /** Nothing of the unit is kept after what it refuses. */
  #check<T>(tenantId: TenantId, tmkVersion: number, check: () => T): T {
    this.#unit.requireSeen(tenantId);
    this.#unit.requireActive(tenantId);
    this.#unit.requireMasterKey(tenantId, tmkVersion);
    try {
      return check();
    } catch (error) {
      if (error instanceof KmsError) this.#unit.database.fail(error);
      throw error;
    }
  }
}
