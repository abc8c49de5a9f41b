import type { TenantId } from '../model/identifiers.ts';
import type { Operation } from './operation.ts';

/** The answers to calls of the service are kept in one place for all tenants, so each tenant's keys are kept apart there. */
export function ofTenant(
  { caller, idempotency }: Operation,
  tenantId: TenantId,
): Pick<Operation, 'caller' | 'idempotency'> {
  return { caller, idempotency: idempotency && { ...idempotency, key: `${tenantId}/${idempotency.key}` } };
}
