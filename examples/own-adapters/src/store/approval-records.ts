import { KmsError, type TenantId } from '@qnsp/kms-core';
import type { ApprovalRecord } from '@qnsp/kms-core/internal';
import type { ApprovalPage, ApprovalQuery, ApprovalRecords, Room } from '@qnsp/kms-core/ports';
import type { Row } from './database.ts';
import { fromText, toText } from './record-text.ts';
import type { Unit } from './unit.ts';

export class SqliteApprovals implements ApprovalRecords {
  readonly #unit: Unit;

  constructor(unit: Unit) {
    this.#unit = unit;
  }

  async insert(approval: ApprovalRecord, { atMost }: Room = {}): Promise<void> {
    const { approvalId, tenantId, fingerprint, state, createdAt, expiresAt } = approval;
    this.#unit.requireSeen(tenantId);
    this.#unit.requireActive(tenantId);
    if (this.#unit.database.row('select 1 from approvals where approval_id = ?', approvalId) !== undefined)
      throw new KmsError('CONFLICT', 'The id of the request was used before.');
    const used = `select count(*) as used from approvals where tenant_id = ? and state = 'pending' and expires_at > ?`;
    this.#unit.requireRoom('approvals', atMost, used, tenantId, this.#unit.now.getTime());
    this.#unit.database.run(
      'insert into approvals values (?, ?, ?, ?, ?, ?, ?)',
      approvalId,
      tenantId,
      hex(fingerprint),
      state,
      createdAt.getTime(),
      expiresAt.getTime(),
      toText(approval),
    );
  }

  async get(approvalId: string): Promise<ApprovalRecord | undefined> {
    const sql = 'select record from approvals where approval_id = ?1 and (?2 is null or tenant_id = ?2)';
    const row = this.#unit.database.row(sql, approvalId, this.#unit.only);
    return row && toApproval(row);
  }

  async findPending(tenantId: TenantId, fingerprint: Uint8Array): Promise<ApprovalRecord | undefined> {
    const { database, only, now } = this.#unit;
    const row = database.row(
      `select record from approvals where tenant_id = ?1 and fingerprint = ?2 and state = 'pending' and expires_at > ?3
        and (?4 is null or tenant_id = ?4) order by created_at desc, approval_id desc limit 1`,
      tenantId,
      hex(fingerprint),
      now.getTime(),
      only,
    );
    return row && toApproval(row);
  }

  async update({ approvalId, state, content, mac }: ApprovalRecord): Promise<void> {
    const stored = await this.get(approvalId);
    if (stored?.state !== 'pending') throw new KmsError('NOT_FOUND', 'There is no pending request with this id.');
    const sql = 'update approvals set state = ?2, record = ?3 where approval_id = ?1';
    this.#unit.database.run(sql, approvalId, state, toText({ ...stored, state, content, mac }));
  }

  async list({ limit, after, state }: ApprovalQuery): Promise<ApprovalPage> {
    const { database, only, now } = this.#unit;
    const rows = database.rows(
      `select record from approvals where (?1 is null or tenant_id = ?1) and (?2 is null or state = ?2)
        and (?2 is not 'pending' or expires_at > ?3) and (?4 is null or (created_at, approval_id) < (?4, ?5))
        order by created_at desc, approval_id desc limit ?6`,
      only,
      state ?? null,
      now.getTime(),
      after?.createdAt.getTime() ?? null,
      after?.approvalId ?? null,
      limit + 1,
    );
    return { items: rows.slice(0, limit).map(toApproval), more: rows.length > limit };
  }

  async removeEnded(expiredBefore: Date): Promise<void> {
    const sql = 'delete from approvals where expires_at < ?1 and (?2 is null or tenant_id = ?2)';
    this.#unit.database.run(sql, expiredBefore.getTime(), this.#unit.only);
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function toApproval(row: Row): ApprovalRecord {
  // Nothing but insert and update writes these texts; what was changed behind their back no longer has the MAC that it names.
  return fromText(row['record']) as ApprovalRecord;
}
