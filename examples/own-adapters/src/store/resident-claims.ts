import { KmsError } from '@qnsp/kms-core';
import { newId, type ResidentClaim, type ResidentClaims, type ResidentVersion } from '@qnsp/kms-core/ports';
import type { Row } from './database.ts';
import { toKey } from './key-records.ts';
import type { Unit } from './unit.ts';

export class SqliteResidents implements ResidentClaims {
  readonly #unit: Unit;

  constructor(unit: Unit) {
    this.#unit = unit;
  }

  async claim({ providerId, name, kind }: Omit<ResidentClaim, 'claimedAt' | 'mark'>): Promise<ResidentClaim> {
    const { database, now } = this.#unit;
    this.#unit.requireSeen(name.tenantId);
    const id = [providerId, name.keyId, name.version];
    if (database.row('select 1 from claims where provider_id = ? and key_id = ? and version = ?', ...id) !== undefined)
      throw new KmsError('CONFLICT', 'This version of the key is being made.');
    const claim = { providerId, name, kind, claimedAt: new Date(now), mark: newId() };
    database.run(
      'insert into claims values (?, ?, ?, ?, ?, ?, ?)',
      ...id,
      name.tenantId,
      kind,
      now.getTime(),
      claim.mark,
    );
    return claim;
  }

  async renew(claim: ResidentClaim): Promise<ResidentClaim | undefined> {
    return (await this.release(claim)) ? this.claim(claim) : undefined;
  }

  async release({ providerId, name, mark }: ResidentClaim): Promise<boolean> {
    const { database } = this.#unit;
    const sql = 'delete from claims where provider_id = ? and key_id = ? and version = ? and mark = ?';
    return this.#unit.sees(name.tenantId) && database.run(sql, providerId, name.keyId, name.version, mark) === 1;
  }

  async claims(providerId: string): Promise<readonly ResidentClaim[]> {
    this.#unit.requireSystem();
    return this.#unit.database.rows('select * from claims where provider_id = ?', providerId).map(toClaim);
  }

  async versions(providerId: string): Promise<readonly ResidentVersion[]> {
    this.#unit.requireSystem();
    const sql = `select keys.record from keys join tenants t using (tenant_id) where t.state = 'active'`;
    return this.#unit.database
      .rows(sql)
      .map(toKey)
      .flatMap(({ tenantId, keyId, versions }) =>
        versions.flatMap(({ version, provider, material, state }) =>
          material.kind === 'resident' && provider === providerId
            ? [{ name: { tenantId, keyId, version }, handle: material.handle, state }]
            : [],
        ),
      );
  }
}

function toClaim(row: Row): ResidentClaim {
  return {
    providerId: String(row['provider_id']),
    name: { tenantId: String(row['tenant_id']), keyId: String(row['key_id']), version: Number(row['version']) },
    kind: row['kind'] === 'orphan' ? 'orphan' : 'create',
    claimedAt: new Date(Number(row['claimed_at'])),
    mark: String(row['mark']),
  };
}
