import { KmsError } from '@qnsp/kms-core';
import type { IdentityBindingRecord, IdentityDenialRecord } from '@qnsp/kms-core/internal';
import type {
  FoundIdentities,
  IdentityBindingPage,
  IdentityBindingQuery,
  IdentityDenialPage,
  IdentityDenialQuery,
  IdentityNames,
  IdentityRecords,
  RemovedBindingQuery,
  Room,
  RoomForBinding,
} from '@qnsp/kms-core/ports';
import type { Row } from './database.ts';
import { fromText, toText } from './record-text.ts';
import type { Unit } from './unit.ts';

/** Of the scope, and found by one of the names in the first parameter. */
const IS_WANTED = 'found_by in (select value from json_each(?1)) and (?2 is null or tenant_id = ?2)';

/** What tells one binding or denial from others, and by what it is found. */
interface Found {
  readonly foundBy: Uint8Array;
}

export class SqliteIdentities implements IdentityRecords {
  readonly #unit: Unit;

  constructor(unit: Unit) {
    this.#unit = unit;
  }

  async insert(binding: IdentityBindingRecord, { atMost, removedAtMost }: RoomForBinding = {}): Promise<void> {
    const { bindingId, tenantId, createdAt, removedAt } = binding;
    this.#unit.requireMasterKey(tenantId, binding.mac.tmkVersion);
    this.#requireNew('select 1 from bindings where binding_id = ?', bindingId, tenantId);
    const used = 'select count(*) as used from bindings where tenant_id = ? and removed_at is null';
    this.#unit.requireRoom('identityBindings', atMost, used, tenantId);
    const removed = 'select count(*) as used from bindings where tenant_id = ? and removed_at is not null';
    this.#unit.requireRoom('removedIdentityBindings', removedAtMost, removed, tenantId);
    this.#unit.database.run(
      'insert into bindings values (?, ?, ?, ?, ?, ?, ?)',
      bindingId,
      tenantId,
      hex(binding.foundBy),
      createdAt.getTime(),
      removedAt?.getTime() ?? null,
      toText(binding),
      binding.mac.tmkVersion,
    );
    this.#tell(binding);
  }

  async get(bindingId: string): Promise<IdentityBindingRecord | undefined> {
    const row = this.#unit.database.row(
      'select record from bindings where binding_id = ?1 and removed_at is null and (?2 is null or tenant_id = ?2)',
      bindingId,
      this.#unit.only,
    );
    return row && toBinding(row);
  }

  async list({ limit, after }: IdentityBindingQuery): Promise<IdentityBindingPage> {
    const rows = this.#unit.database.rows(
      `select record from bindings where removed_at is null and (?1 is null or tenant_id = ?1)
        and (?2 is null or (created_at, binding_id) < (?2, ?3)) order by created_at desc, binding_id desc limit ?4`,
      this.#unit.only,
      after?.createdAt.getTime() ?? null,
      after?.bindingId ?? null,
      limit + 1,
    );
    return { items: rows.slice(0, limit).map(toBinding), more: rows.length > limit };
  }

  async remove({ bindingId, removedAt, mac }: IdentityBindingRecord): Promise<void> {
    const binding = await this.get(bindingId);
    if (binding === undefined) throw new KmsError('NOT_FOUND', 'There is no identity binding with this id.');
    this.#unit.requireMasterKey(binding.tenantId, mac.tmkVersion);
    this.#unit.database.run(
      'update bindings set removed_at = ?, record = ?, tmk_version = ? where binding_id = ?',
      removedAt?.getTime() ?? null,
      toText({ ...binding, removedAt, mac }),
      mac.tmkVersion,
      bindingId,
    );
    this.#tell(binding);
  }

  async insertDenial(denial: IdentityDenialRecord, { atMost }: Room = {}): Promise<void> {
    const { denialId, tenantId, createdAt, endsAt } = denial;
    this.#unit.requireMasterKey(tenantId, denial.mac.tmkVersion);
    this.#requireNew('select 1 from denials where denial_id = ?', denialId, tenantId);
    const used = 'select count(*) as used from denials where tenant_id = ?';
    this.#unit.requireRoom('identityDenials', atMost, used, tenantId);
    this.#unit.database.run(
      'insert into denials values (?, ?, ?, ?, ?, ?, ?)',
      denialId,
      tenantId,
      hex(denial.foundBy),
      createdAt.getTime(),
      endsAt.getTime(),
      toText(denial),
      denial.mac.tmkVersion,
    );
    this.#tell(denial);
  }

  async getDenial(denialId: string): Promise<IdentityDenialRecord | undefined> {
    const row = this.#unit.database.row(
      'select record from denials where denial_id = ?1 and (?2 is null or tenant_id = ?2)',
      denialId,
      this.#unit.only,
    );
    return row && toDenial(row);
  }

  async listDenials({ limit, after }: IdentityDenialQuery): Promise<IdentityDenialPage> {
    const rows = this.#unit.database.rows(
      `select record from denials where (?1 is null or tenant_id = ?1) and ends_at >= ?2
        and (?3 is null or (created_at, denial_id) < (?3, ?4)) order by created_at desc, denial_id desc limit ?5`,
      this.#unit.only,
      this.#unit.now.getTime(),
      after?.createdAt.getTime() ?? null,
      after?.denialId ?? null,
      limit + 1,
    );
    return { items: rows.slice(0, limit).map(toDenial), more: rows.length > limit };
  }

  async liftDenial({ denialId, fields, mac }: IdentityDenialRecord): Promise<void> {
    const denial = await this.getDenial(denialId);
    if (denial === undefined) throw new KmsError('NOT_FOUND', 'There is no denial with this id.');
    this.#unit.requireMasterKey(denial.tenantId, mac.tmkVersion);
    this.#unit.database.run(
      'update denials set record = ?, tmk_version = ? where denial_id = ?',
      toText({ ...denial, fields, mac }),
      mac.tmkVersion,
      denialId,
    );
    this.#tell(denial);
  }

  async removeEndedDenials(): Promise<void> {
    const { database, only, now } = this.#unit;
    const ended = '(?1 is null or tenant_id = ?1) and ends_at < ?2';
    for (const row of database.rows(`select record from denials where ${ended}`, only, now.getTime()))
      this.#tell(toDenial(row));
    database.run(`delete from denials where ${ended}`, only, now.getTime());
  }

  async find(names: IdentityNames, limit: number): Promise<FoundIdentities> {
    const { database, only } = this.#unit;
    const live = `select record from bindings where removed_at is null and ${IS_WANTED} limit ?3`;
    return {
      bindings: database.rows(live, wanted(names.bindings), only, limit).map(toBinding),
      denials: database
        .rows(`select record from denials where ${IS_WANTED}`, wanted(names.denials), only)
        .map(toDenial),
    };
  }

  async findRemoved({
    names,
    removedAfter,
    limit,
    ofTenant,
  }: RemovedBindingQuery): Promise<readonly IdentityBindingRecord[]> {
    const turn = 'row_number() over (partition by tenant_id, found_by order by removed_at desc)';
    const removed = `select record, ${turn} as turn from bindings
      where removed_at is not null and removed_at > ?4 and ${IS_WANTED}`;
    const values = [wanted(names), this.#unit.only, limit, removedAfter.getTime(), ofTenant];
    const found = `select record from (${removed}) where turn <= ?5 limit ?3`;
    return this.#unit.database.rows(found, ...values).map(toBinding);
  }

  #requireNew(sql: string, id: string, tenantId: string): void {
    this.#unit.requireSeen(tenantId);
    this.#unit.requireActive(tenantId);
    if (this.#unit.database.row(sql, id) !== undefined) throw new KmsError('CONFLICT', 'The id was used before.');
  }

  #tell({ foundBy }: Found): void {
    this.#unit.changes.push({ kind: 'identity', foundBy: hex(foundBy) });
  }
}

function wanted(names: readonly Uint8Array[]): string {
  return JSON.stringify(names.map(hex));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

export function toBinding(row: Row): IdentityBindingRecord {
  // As insert and remove wrote it, or its MAC is wrong.
  return fromText(row['record']) as IdentityBindingRecord;
}

export function toDenial(row: Row): IdentityDenialRecord {
  // As insertDenial wrote it, or its MAC is wrong.
  return fromText(row['record']) as IdentityDenialRecord;
}
