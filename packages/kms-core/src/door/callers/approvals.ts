import type {
  ApprovalDescription,
  DecideApprovalInput,
  ListApprovalsInput,
  ListApprovalsResult,
  NamedApproval,
} from '../../operations/approvals.ts';

/** The operations for what waits for approvals. */
export interface ApprovalOperations {
  /**
   * Lists the requests for approvals of the tenant, newest first, a page at a time.
   *
   * @throws KmsError `FORBIDDEN` without `kms:approvals:read`; `BAD_REQUEST` for a cursor of another list.
   * @example
   * const { keyId } = await ada.createKey({ requireApproval: 1 });
   * await ada.destroyKey({ keyId }).catch(() => undefined);
   * const { items } = await ada.listApprovals({ state: 'pending' });
   * console.log(items.map(({ operation }) => operation)); // [ 'destroyKey' ]
   */
  listApprovals(input?: ListApprovalsInput): Promise<ListApprovalsResult>;

  /**
   * Shows a request for approvals. Who made it needs no permission.
   *
   * @throws KmsError `FORBIDDEN` without `kms:approvals:read`; `NOT_FOUND`.
   * @example
   * const { keyId } = await ada.createKey({ requireApproval: 2 });
   * const refusal = await ada.destroyKey({ keyId }).catch((error) => error);
   * const { state, required, approved } = await ada.getApproval({ approvalId: refusal.details.approvalId });
   * console.log(state, required, approved); // pending 2 0
   */
  getApproval(input: NamedApproval): Promise<ApprovalDescription>;

  /**
   * Approves or refuses a request of somebody else, or withdraws an own one. Once there are as many approvals as it takes, the same call
   * as before does what it asks for.
   *
   * @throws KmsError `FORBIDDEN` without `kms:approvals:decide`, for an approval by who made the request or approved it already, and by
   *   callers who count as one of these; `CONFLICT` for a request that is over; `NOT_FOUND`.
   * @example
   * import { localCaller } from '@qnsp/kms-core';
   * const bob = kms.as(localCaller({ tenantId, subject: 'bob', role: 'tenant_admin' }));
   * const { keyId } = await ada.createKey({ requireApproval: 1 });
   * const refusal = await ada.destroyKey({ keyId }).catch((error) => error);
   * await bob.decideApproval({ approvalId: refusal.details.approvalId, decision: 'approve' });
   * const { state } = await ada.destroyKey({ keyId });
   * console.log(state); // deactivated
   */
  decideApproval(input: DecideApprovalInput): Promise<ApprovalDescription>;
}
