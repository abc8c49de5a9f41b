import type { TenantId } from '@qnsp/kms-core';
import type { EvidenceBacklog } from '@qnsp/kms-core/ports';

/** What people should know about the work on evidence. */
export type EvidenceReport =
  | { readonly kind: 'backlog'; readonly backlog: EvidenceBacklog }
  | { readonly kind: 'delivered'; readonly tenantId: TenantId; readonly batchId: string; readonly events: number }
  | {
      readonly kind: 'postponed';
      readonly tenantId: TenantId;
      readonly batchId: string;
      readonly attempts: number;
      readonly seconds: number;
      readonly reason: string;
    }
  /**
   * A batch keeps being refused by something that does not name it, so that its tenant's evidence is stuck: somebody
   * must look into it. It is still retried.
   */
  | {
      readonly kind: 'stuck';
      readonly tenantId: TenantId;
      readonly batchId: string;
      readonly attempts: number;
      readonly status: number;
    }
  /** The audit service permanently refused a batch: somebody must look into it. */
  | { readonly kind: 'refused'; readonly tenantId: TenantId; readonly batchId: string; readonly reason: string }
  | { readonly kind: 'retired'; readonly batches: number }
  /**
   * Another signing key has taken over the chain of a tenant from this node's: it is left to the nodes that have that key. Said once
   * for each tenant.
   */
  | { readonly kind: 'superseded'; readonly tenantId: TenantId; readonly keyId: string }
  /** A round failed; the next one tries again. */
  | { readonly kind: 'failed'; readonly work: string; readonly tenantId?: TenantId; readonly error: unknown };
