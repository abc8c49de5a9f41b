import { KmsError, type TenantId } from '@qnsp/kms-core';
import type { ApprovalRecord } from '@qnsp/kms-core/internal';
import type { ApprovalPage, ApprovalQuery, ApprovalRecords, Room } from '@qnsp/kms-core/ports';
import { and, desc, eq, gt, lt, sql } from 'drizzle-orm';
import { requireSeen, within } from '../driver/scope.ts';
import type { Session } from '../driver/session.ts';
import { approvals } from '../schema/approvals.ts';
import { macColumns, withMac, withMacColumns } from './mac-columns.ts';
import { requireRoom } from './room.ts';

/** In the words of the partial index. */
const PENDING = sql`state = 'pending'`;

export class DrizzleApprovals implements ApprovalRecords {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  async insert(approval: ApprovalRecord, { atMost }: Room = {}): Promise<void> {
    requireSeen(this.#session.scope, approval.tenantId);
    const { approvalId: id, tenantId } = approvals;
    const inserted = await this.#session.run((db) =>
      db
        .insert(approvals)
        .values(withMacColumns(approval))
        .onConflictDoNothing()
        .returning({ used: requireRoom('approvals', { id, tenantId }, atMost) }),
    );
    if (inserted.length === 0) throw new KmsError('CONFLICT', 'The id of the request was used before.');
  }

  async get(approvalId: string, options: { readonly lock?: boolean } = {}): Promise<ApprovalRecord | undefined> {
    const where = and(eq(approvals.approvalId, approvalId), this.#own());
    const [row] = await this.#session.run((db) => {
      const query = db.select().from(approvals).where(where);
      return options.lock ? query.for('update') : query;
    });
    return row === undefined ? undefined : withMac(row);
  }

  async findPending(tenantId: TenantId, fingerprint: Uint8Array): Promise<ApprovalRecord | undefined> {
    const isMeant = and(eq(approvals.tenantId, tenantId), eq(approvals.fingerprint, fingerprint));
    const [row] = await this.#session.run((db) =>
      db
        .select()
        .from(approvals)
        .where(and(isMeant, PENDING, gt(approvals.expiresAt, this.#session.now), this.#own()))
        .orderBy(desc(approvals.createdAt), desc(approvals.approvalId))
        .limit(1)
        .for('update'),
    );
    return row === undefined ? undefined : withMac(row);
  }

  async update({ approvalId, state, content, mac }: ApprovalRecord): Promise<void> {
    const changed = await this.#session.run((db) =>
      db
        .update(approvals)
        .set({ state, content, ...macColumns(mac) })
        .where(and(eq(approvals.approvalId, approvalId), PENDING, this.#own()))
        .returning({ approvalId: approvals.approvalId }),
    );
    if (changed.length === 0) throw new KmsError('NOT_FOUND', 'There is no pending request with this id.');
  }

  async list({ limit, after, state }: ApprovalQuery): Promise<ApprovalPage> {
    const { createdAt, approvalId } = approvals;
    const behind = after
      ? sql`(${createdAt}, ${approvalId}) < (${after.createdAt.toISOString()}::timestamptz, ${after.approvalId}::uuid)`
      : undefined;
    const wanted = and(
      state === undefined ? undefined : eq(approvals.state, state),
      state === 'pending' ? gt(approvals.expiresAt, this.#session.now) : undefined,
    );
    const rows = await this.#session.run((db) =>
      db
        .select()
        .from(approvals)
        .where(and(this.#own(), wanted, behind))
        .orderBy(desc(createdAt), desc(approvalId))
        .limit(limit + 1),
    );
    return { items: rows.slice(0, limit).map(withMac), more: rows.length > limit };
  }

  async removeEnded(expiredBefore: Date): Promise<void> {
    await this.#session.run((db) =>
      db.delete(approvals).where(and(lt(approvals.expiresAt, expiredBefore), this.#own())),
    );
  }

  #own() {
    return within(this.#session.scope, approvals.tenantId);
  }
}
