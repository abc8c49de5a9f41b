import type { EvidenceBacklog, TenantId } from '@qnsp/kms-core';

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
   * A batch is refused again and again by something that does not name it, so that its tenant's evidence does not get on:
   * somebody has to look at it. It is still tried.
   */
  | {
      readonly kind: 'stuck';
      readonly tenantId: TenantId;
      readonly batchId: string;
      readonly attempts: number;
      readonly status: number;
    }
  /** The audit service refused a batch for ever: somebody has to look at it. */
  | { readonly kind: 'refused'; readonly tenantId: TenantId; readonly batchId: string; readonly reason: string }
  | { readonly kind: 'retired'; readonly batches: number }
  /**
   * Another signing key has taken over the chain of a tenant from this node's: it is left to the nodes that have that key. Said once
   * for each tenant.
   */
  | { readonly kind: 'superseded'; readonly tenantId: TenantId; readonly keyId: string }
  /** A turn failed; the next one tries again. */
  | { readonly kind: 'failed'; readonly work: string; readonly tenantId?: TenantId; readonly error: unknown };
