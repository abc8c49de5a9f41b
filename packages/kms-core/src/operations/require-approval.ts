import { createHash } from 'node:crypto';
import { BOUNDS } from '../bounds/bounds.ts';
import { asJson } from '../encoding/as-json.ts';
import { lengthPrefixed } from '../encoding/length-prefixed.ts';
import { sortedJson } from '../encoding/sorted-json.ts';
import { KmsError } from '../errors/kms-error.ts';
import { ApprovalAuthority } from '../hierarchy/approval-authority.ts';
import type { ApprovalContent, ApprovalRecord } from '../model/approval.ts';
import { newId, SYSTEM_TENANT, type TenantId } from '../model/identifiers.ts';
import type { StoreScope, UnitOfWork } from '../ports/store.ts';
import { APPROVAL_EVENTS } from './catalog.ts';
import { handsOf } from './hands-of.ts';
import type { Operation } from './operation.ts';

/** A call that may need approvals. */
export interface ApprovableCall {
  /** The id of the operation in the catalogue. */
  readonly operation: string;
  readonly tenantId: TenantId;
  /** All that the caller asks for: an approval is for exactly this. */
  readonly input: object;
}

/** Spends approvals in the units of work of what needs them. */
export interface Approvals {
  /**
   * Spends the approvals of the call with what it does, in one unit of work: both become durable, or neither does.
   *
   * @param onRecord how many the record asks for that is changed; what holds for the tenant counts where it is more
   * @throws ApprovalMissing where there are not as many as it takes
   */
  spend(unit: UnitOfWork, onRecord: number): Promise<void>;
}

/** Not enough approvals are there yet. Never leaves {@link withApprovals}. */
class ApprovalMissing extends Error {
  readonly required: number;

  constructor(required: number) {
    super('approvals are missing');
    this.required = required;
  }
}

/**
 * Does work that may need approvals. Where it does, and not enough others have approved exactly this call, it is refused, and the refusal
 * names the request that others can approve; the same call does the work once they have.
 *
 * @throws KmsError `APPROVAL_REQUIRED` with `approvalId`, `required`, `approved` and `expiresAt` in its details
 */
export async function withApprovals<T>(
  op: Operation,
  call: ApprovableCall,
  work: (approvals: Approvals) => Promise<T>,
): Promise<T> {
  const { kms, caller, evidence } = op;
  const own = await kms.quotas.ownOf(call.tenantId);
  const forAll = own?.requireApproval ?? kms.settings.requireApproval ?? 0;
  const authority = new ApprovalAuthority(await kms.hierarchy.masterKeys(SYSTEM_TENANT));
  const fingerprint = fingerprintOf(caller.subject, call);
  const spend = async (unit: UnitOfWork, onRecord: number) => {
    const required = Math.max(forAll, onRecord);
    if (required === 0) return;
    const found = await unit.approvals.findPending(call.tenantId, fingerprint);
    if (found === undefined) throw new ApprovalMissing(required);
    authority.verify(found);
    if (approvedBy(contentOf(found)) < required) throw new ApprovalMissing(required);
    await unit.approvals.update(authority.sign({ ...found, state: 'executed' }));
    await evidence?.changed(unit, {
      eventType: APPROVAL_EVENTS.execute,
      resource: { type: 'approval', id: found.approvalId, version: null },
      before: { state: found.state },
      after: { state: 'executed', approved: approvedBy(contentOf(found)), required },
    });
  };
  try {
    return await work({ spend });
  } catch (error) {
    if (!(error instanceof ApprovalMissing)) throw error;
    throw await waiting(op, call, { authority, fingerprint, required: error.required });
  }
}

interface Asked {
  readonly authority: ApprovalAuthority;
  readonly fingerprint: Uint8Array;
  readonly required: number;
}

/** The refusal of a call that waits for approvals, which are asked for unless that was done before. */
async function waiting(op: Operation, call: ApprovableCall, asked: Asked): Promise<KmsError> {
  const { kms, caller } = op;
  const { authority, fingerprint, required } = asked;
  const { tenantId, operation, input } = call;
  const requestedBy = await handsOf(kms, caller);
  const scope: StoreScope = caller.tenantId === tenantId ? { kind: 'tenant', tenantId } : { kind: 'system' };
  const approval = await kms.store.transact(scope, async (unit): Promise<ApprovalRecord> => {
    const found = await unit.approvals.findPending(tenantId, fingerprint);
    if (found !== undefined) {
      authority.verify(found);
      return found;
    }
    await unit.approvals.removeEnded(new Date(unit.now.getTime() - BOUNDS.approval.keptSeconds * 1000));
    const content: ApprovalContent = { operation, input: jsonOf(input), requestedBy, required, decisions: [] };
    const record = authority.sign({
      approvalId: newId(),
      tenantId,
      fingerprint,
      state: 'pending',
      createdAt: unit.now,
      expiresAt: new Date(unit.now.getTime() + BOUNDS.approval.seconds * 1000),
      content: sortedJson(content),
    });
    await unit.approvals.insert(record, { atMost: BOUNDS.approval.pending });
    await op.evidence?.changed(unit, {
      eventType: APPROVAL_EVENTS.request,
      resource: { type: 'approval', id: record.approvalId, version: null },
      before: null,
      after: {
        operation,
        required,
        request: Buffer.from(fingerprint).toString('hex'),
        expiresAt: record.expiresAt.toISOString(),
      },
    });
    return record;
  });
  const approved = approvedBy(contentOf(approval));
  const { approvalId } = approval;
  return new KmsError(
    'APPROVAL_REQUIRED',
    `This waits for approvals: ${approved} of ${required} are there for the request ${approvalId}. Make the same call again when the rest is.`,
    { details: { approvalId, required, approved, expiresAt: approval.expiresAt.toISOString() } },
  );
}

/** What a stored request is about. It is authentic. */
export function contentOf({ content }: ApprovalRecord): ApprovalContent {
  return JSON.parse(content) as ApprovalContent;
}

export function approvedBy({ decisions }: ApprovalContent): number {
  return decisions.filter(({ decision }) => decision === 'approve').length;
}

function fingerprintOf(subject: string, { operation, tenantId, input }: ApprovableCall): Uint8Array {
  return createHash('sha256')
    .update(lengthPrefixed(['qnsp-kms/v1/approval', tenantId, subject, operation, sortedJson(asJson(input))]))
    .digest();
}

function jsonOf(input: object): ApprovalContent['input'] {
  // What JSON gives back is JSON.
  return JSON.parse(sortedJson(asJson(input))) as ApprovalContent['input'];
}
