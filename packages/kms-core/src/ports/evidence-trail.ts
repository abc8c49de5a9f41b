import type { AuditEvent } from '../model/audit-event.ts';
import type { TenantId } from '../model/identifiers.ts';

/** Where the operations of callers leave what they did. */
export interface EvidenceTrail {
  /** Throws `AUDIT_UNAVAILABLE` when no more evidence of a tenant is taken at the moment; asked before anything is done. */
  requireRoom(tenantId: TenantId): void;
  /** Ends when the event is durable. Throws `AUDIT_UNAVAILABLE` if that cannot be said. */
  record(event: AuditEvent): Promise<void>;
}
