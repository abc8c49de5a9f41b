import { requirePermission } from '../access/caller.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { checkIdempotency } from '../bounds/check-change.ts';
import { checkId, checkInteger, checkOneOf } from '../bounds/check-values.ts';
import { sortedJson } from '../encoding/sorted-json.ts';
import { KmsError } from '../errors/kms-error.ts';
import { ApprovalAuthority } from '../hierarchy/approval-authority.ts';
import {
  APPROVAL_STATES,
  type ApprovalContent,
  type ApprovalRecord,
  type ApprovalState,
  areOne,
  type Hands,
} from '../model/approval.ts';
import { SYSTEM_TENANT, type TenantId } from '../model/identifiers.ts';
import type { JsonValue } from '../model/metadata.ts';
import type { ApprovalQuery, UnitOfWork } from '../ports/store.ts';
import { Turns } from '../scheduling/turns.ts';
import { authenticOf } from './authentic-records.ts';
import { APPROVAL_EVENTS, OPERATIONS } from './catalog.ts';
import { handsOf } from './hands-of.ts';
import { listCursors } from './list-cursor.ts';
import type { Operation } from './operation.ts';
import { approvedBy, contentOf } from './require-approval.ts';

/** What can be said to a request: by others, or by who made it to take it back. */
export const APPROVAL_DECISIONS = ['approve', 'refuse', 'withdraw'] as const;

/** A request for approvals as it is shown. */
export interface ApprovalDescription {
  readonly approvalId: string;
  readonly tenantId: TenantId;
  /** `expired` is a pending one whose time is over. */
  readonly state: ApprovalState | 'expired';
  /** The id of the operation in the catalogue. */
  readonly operation: string;
  /** What exactly is asked for; instants as `{ date }` in milliseconds since 1970. */
  readonly request: Readonly<Record<string, JsonValue>>;
  /** SHA-256 over who asks for what, in hexadecimal: as in the evidence. */
  readonly requestHash: string;
  readonly requestedBy: string;
  /** How many approvals it took when it was asked for. */
  readonly required: number;
  readonly approved: number;
  readonly decisions: readonly {
    readonly by: string;
    readonly decision: 'approve' | 'refuse';
    readonly at: string;
  }[];
  readonly createdAt: string;
  readonly expiresAt: string;
}

/** Which requests are listed. */
export interface ListApprovalsInput {
  /** From 1 to 200; default: 50. */
  readonly limit?: number;
  readonly cursor?: string;
  /** Only those in this state; a pending one that has expired is in none. Default: those of every state. */
  readonly state?: ApprovalState;
}

/** A page of requests. */
export interface ListApprovalsResult {
  readonly items: readonly ApprovalDescription[];
  /** Where the next page starts; `null` on the last page. */
  readonly nextCursor: string | null;
  /** Names the requests whose stored record was changed by somebody else. */
  readonly warnings?: readonly string[];
}

/** A page of the requests for approvals of the caller's tenant, newest first. */
export async function listApprovals(op: Operation, input: ListApprovalsInput): Promise<ListApprovalsResult> {
  const { kms, caller } = op;
  requirePermission(caller, OPERATIONS.listApprovals.permission);
  const { limit = BOUNDS.pageItems.default, cursor, state } = input;
  checkInteger('limit', limit, 1, BOUNDS.pageItems.maximum);
  if (state !== undefined) checkOneOf('state', state, APPROVAL_STATES);
  const { tenantId } = caller;
  checkId('tenantId', tenantId);
  const cursors = await listCursors<Position>(kms.hierarchy, tenantId, 'approvals', { state });
  const after = cursor === undefined ? null : placeOf(cursors.open(cursor));
  const authority = await approvalAuthority(op);
  const { page, now } = await kms.store.transact({ kind: 'tenant', tenantId }, async (unit) => ({
    page: await unit.approvals.list({ limit, after, ...(state === undefined ? {} : { state }) }),
    now: unit.now,
  }));
  const { authentic, ...rest } = await authenticOf(
    kms,
    page.items,
    (approval) => authority.verify(approval),
    ({ approvalId }) => ['approval', approvalId],
    new Turns(tenantId),
  );
  const last = page.items.at(-1);
  return {
    items: authentic.map((approval) => describeApproval(approval, now)),
    nextCursor:
      page.more && last !== undefined
        ? cursors.seal({ createdAt: last.createdAt.getTime(), approvalId: last.approvalId })
        : null,
    ...rest,
  };
}

interface Position {
  readonly createdAt: number;
  readonly approvalId: string;
}

function placeOf({ createdAt, approvalId }: Position): NonNullable<ApprovalQuery['after']> {
  return { createdAt: new Date(createdAt), approvalId };
}

/** Which request is meant. */
export interface NamedApproval {
  readonly approvalId: string;
}

/** A request for approvals of the caller's tenant. Who made it needs no permission for it. Throws `NOT_FOUND`. */
export async function getApproval(op: Operation, { approvalId }: NamedApproval): Promise<ApprovalDescription> {
  const { kms, caller } = op;
  checkId('approvalId', approvalId);
  const { tenantId } = caller;
  checkId('tenantId', tenantId);
  const authority = await approvalAuthority(op);
  return kms.store.transact({ kind: 'tenant', tenantId }, async (unit) => {
    const record = await unit.approvals.get(approvalId);
    if (record !== undefined) authority.verify(record);
    const isOwn = record !== undefined && contentOf(record).requestedBy.subject === caller.subject;
    if (!isOwn) requirePermission(caller, OPERATIONS.getApproval.permission);
    if (record === undefined) throw notFound();
    return describeApproval(record, unit.now);
  });
}

/** What is said to which request. */
export interface DecideApprovalInput extends NamedApproval {
  readonly decision: (typeof APPROVAL_DECISIONS)[number];
}

/**
 * Approves or refuses a request of somebody else, or withdraws an own one. One refusal ends a request. Who said the same before is answered
 * so again.
 *
 * @throws KmsError `FORBIDDEN` for an approval by who made the request, by one who approved it already, and by callers who count as one of
 *   these; `CONFLICT` for a request that is over.
 */
export async function decideApproval(op: Operation, input: DecideApprovalInput): Promise<ApprovalDescription> {
  const { kms, caller } = op;
  const { approvalId, decision } = input;
  checkId('approvalId', approvalId);
  checkId('tenantId', caller.tenantId);
  checkOneOf('decision', decision, APPROVAL_DECISIONS);
  checkIdempotency(op.idempotency);
  if (decision !== 'withdraw') requirePermission(caller, OPERATIONS.decideApproval.permission);
  const by = await handsOf(kms, caller);
  const authority = await approvalAuthority(op);
  return kms.store.transact({ kind: 'tenant', tenantId: caller.tenantId }, async (unit) => {
    const record = await unit.approvals.get(approvalId, { lock: true });
    if (record === undefined) throw notFound();
    authority.verify(record);
    const content = contentOf(record);
    if (decision === 'withdraw') requireRequester(op, content);
    if (isSaidAlready(record, content, decision, by)) return describeApproval(record, unit.now);
    requirePending(record, unit.now);
    if (decision === 'approve') requireAnother(content, by);
    const changed = authority.sign(decided(record, content, { decision, by, now: unit.now }));
    await unit.approvals.update(changed);
    await recordDecision(op, unit, record, changed, decision);
    return describeApproval(changed, unit.now);
  });
}

async function recordDecision(
  { evidence }: Operation,
  unit: UnitOfWork,
  before: ApprovalRecord,
  after: ApprovalRecord,
  decision: DecideApprovalInput['decision'],
): Promise<void> {
  await evidence?.changed(unit, {
    eventType: APPROVAL_EVENTS[decision],
    resource: { type: 'approval', id: before.approvalId, version: null },
    before: { state: before.state, approved: approvedBy(contentOf(before)) },
    after: {
      state: after.state,
      approved: approvedBy(contentOf(after)),
      operation: contentOf(after).operation,
      request: hashOf(after),
    },
  });
}

interface Decided {
  readonly decision: DecideApprovalInput['decision'];
  readonly by: Hands;
  readonly now: Date;
}

function decided(record: ApprovalRecord, content: ApprovalContent, { decision, by, now }: Decided): ApprovalRecord {
  if (decision === 'withdraw') return { ...record, state: 'withdrawn' };
  const decisions = [...content.decisions, { by, decision, at: now.toISOString() }];
  return {
    ...record,
    state: decision === 'refuse' ? 'refused' : record.state,
    content: sortedJson({ ...content, decisions }),
  };
}

function isSaidAlready(
  { state }: ApprovalRecord,
  { decisions }: ApprovalContent,
  decision: DecideApprovalInput['decision'],
  { subject }: Hands,
): boolean {
  if (decision === 'withdraw') return state === 'withdrawn';
  return decisions.some((said) => said.decision === decision && said.by.subject === subject);
}

function requireRequester({ caller }: Operation, { requestedBy }: ApprovalContent): void {
  if (requestedBy.subject !== caller.subject)
    throw new KmsError('FORBIDDEN', 'Only who made the request can withdraw it. To end it, refuse it.');
}

function requirePending(record: ApprovalRecord, now: Date): void {
  const state = stateAt(record, now);
  if (state !== 'pending')
    throw new KmsError('CONFLICT', `The request is ${state}: nothing more can be said to it.`, { details: { state } });
}

/** An approval must come from somebody who is neither who made the request nor one who approved it already. */
function requireAnother({ requestedBy, decisions }: ApprovalContent, by: Hands): void {
  if (areOne(requestedBy, by))
    throw new KmsError(
      'FORBIDDEN',
      'The request is your own, or of somebody who counts as you: others must approve it.',
    );
  if (decisions.some((said) => areOne(said.by, by)))
    throw new KmsError('FORBIDDEN', 'Somebody who counts as you has approved the request already.');
}

function stateAt({ state, expiresAt }: ApprovalRecord, now: Date): ApprovalDescription['state'] {
  return state === 'pending' && expiresAt <= now ? 'expired' : state;
}

function describeApproval(record: ApprovalRecord, now: Date): ApprovalDescription {
  const { approvalId, tenantId, createdAt, expiresAt } = record;
  const content = contentOf(record);
  return {
    approvalId,
    tenantId,
    state: stateAt(record, now),
    operation: content.operation,
    request: content.input,
    requestHash: hashOf(record),
    requestedBy: content.requestedBy.subject,
    required: content.required,
    approved: approvedBy(content),
    decisions: content.decisions.map(({ by, decision, at }) => ({ by: by.subject, decision, at })),
    createdAt: createdAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
  };
}

function hashOf({ fingerprint }: ApprovalRecord): string {
  return Buffer.from(fingerprint).toString('hex');
}

async function approvalAuthority({ kms }: Operation): Promise<ApprovalAuthority> {
  return new ApprovalAuthority(await kms.hierarchy.masterKeys(SYSTEM_TENANT));
}

function notFound(): KmsError {
  return new KmsError('NOT_FOUND', 'There is no request for approvals with this id.');
}
