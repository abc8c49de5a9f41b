import { KmsError } from '../errors/kms-error.ts';
import type { ApprovalRecord } from '../model/approval.ts';
import type { TenantId } from '../model/identifiers.ts';
import type { ApprovalPage, ApprovalQuery, ApprovalRecords, Room } from '../ports/store.ts';
import {
  copyOf,
  type MemoryUnit,
  requireActiveTenant,
  requireRoomFor,
  requireSeen,
  sees,
} from './store-memory-tables.ts';

export class MemoryApprovals implements ApprovalRecords {
  readonly #unit: MemoryUnit;

  constructor(unit: MemoryUnit) {
    this.#unit = unit;
  }

  async insert(approval: ApprovalRecord, room: Room = {}): Promise<void> {
    requireSeen(this.#unit.scope, approval.tenantId);
    const tables = this.#unit.tables();
    requireActiveTenant(tables, approval.tenantId);
    if (tables.approvals.has(approval.approvalId))
      throw new KmsError('CONFLICT', 'The id of the request was used before.');
    const used = this.#visible().filter((other) => other.tenantId === approval.tenantId && this.#isPending(other));
    requireRoomFor(this.#unit, 'approvals', used.length, room);
    tables.approvals.set(approval.approvalId, copyOf(approval));
  }

  async get(approvalId: string): Promise<ApprovalRecord | undefined> {
    return copyOf(this.#visible().find((approval) => approval.approvalId === approvalId));
  }

  async findPending(tenantId: TenantId, fingerprint: Uint8Array): Promise<ApprovalRecord | undefined> {
    return copyOf(
      this.#visible()
        .filter((approval) => approval.tenantId === tenantId && this.#isPending(approval))
        .filter((approval) => Buffer.compare(approval.fingerprint, fingerprint) === 0)
        .sort(newestFirst)[0],
    );
  }

  async update({ approvalId, state, content, mac }: ApprovalRecord): Promise<void> {
    const stored = await this.get(approvalId);
    if (stored?.state !== 'pending') throw new KmsError('NOT_FOUND', 'There is no pending request with this id.');
    this.#unit.tables().approvals.set(approvalId, copyOf({ ...stored, state, content, mac }));
  }

  async list({ limit, after, state }: ApprovalQuery): Promise<ApprovalPage> {
    const found = this.#visible()
      .filter((approval) => state === undefined || approval.state === state)
      .filter((approval) => state !== 'pending' || this.#isPending(approval))
      .filter((approval) => !after || newestFirst(after, approval) < 0)
      .sort(newestFirst);
    return { items: found.slice(0, limit).map(copyOf), more: found.length > limit };
  }

  async removeEnded(expiredBefore: Date): Promise<void> {
    for (const { approvalId, expiresAt } of this.#visible())
      if (expiresAt < expiredBefore) this.#unit.tables().approvals.delete(approvalId);
  }

  #isPending({ state, expiresAt }: ApprovalRecord): boolean {
    return state === 'pending' && expiresAt > this.#unit.now;
  }

  #visible(): ApprovalRecord[] {
    return [...this.#unit.tables().approvals.values()].filter(({ tenantId }) => sees(this.#unit.scope, tenantId));
  }
}

type Place = NonNullable<ApprovalQuery['after']>;

function newestFirst(a: Place, b: Place): number {
  return (
    b.createdAt.getTime() - a.createdAt.getTime() ||
    (a.approvalId === b.approvalId ? 0 : a.approvalId < b.approvalId ? 1 : -1)
  );
}
