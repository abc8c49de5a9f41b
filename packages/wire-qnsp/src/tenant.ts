import type { RawRequest } from '@qnsp/kms-contract';
import { badRequest, type Caller, isUuid, KmsError, SYSTEM_TENANT, type TenantId } from '@qnsp/kms-core';

/**
 * The tenant of a call: the credential's, which every one that the request names must equal, or for a platform
 * credential the one that it names.
 *
 * @throws KmsError `TENANT_MISMATCH`, or `BAD_REQUEST` when a platform credential names no tenant.
 */
export function namedTenant(ofCredential: TenantId | null, raw: RawRequest): TenantId {
  let tenantId = ofCredential;
  for (const claim of claimsOf(raw)) {
    if (!isClaim(claim)) continue;
    if (typeof claim !== 'string') throw badRequest('tenantId', 'must be one UUID');
    tenantId ??= claim.toLowerCase();
    if (claim.toLowerCase() !== tenantId)
      throw new KmsError('TENANT_MISMATCH', 'The request names a tenant other than that of the credential.');
  }
  if (tenantId === null)
    throw badRequest('tenantId', 'a platform credential must name the tenant, e.g. in the header x-qnsp-tenant');
  if (!isUuid(tenantId) || tenantId === SYSTEM_TENANT) throw badRequest('tenantId', 'must be the UUID of a tenant');
  return tenantId;
}

/** Whether a request names a tenant at all. */
export function namesTenant(raw: RawRequest): boolean {
  return claimsOf(raw).some(isClaim);
}

/** What stands in the places where a request may name a tenant. */
function claimsOf({ headers, query, body, params }: RawRequest): readonly unknown[] {
  return [
    headers?.['x-qnsp-tenant'],
    headers?.['x-qnsp-tenant-id'],
    headers?.['x-tenant-id'],
    query?.['tenantId'],
    typeof body === 'object' && body !== null && 'tenantId' in body ? body.tenantId : undefined,
    params?.['tenantId'],
  ];
}

function isClaim(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '';
}

/** Checks a tenant that an item of a batch names. Throws `TENANT_MISMATCH`. */
export function requireSameTenant(caller: Caller, item: unknown): void {
  const named = typeof item === 'object' && item !== null && 'tenantId' in item ? item.tenantId : undefined;
  if (named === undefined || named === caller.tenantId) return;
  throw new KmsError('TENANT_MISMATCH', 'The item names a tenant other than that of the credential.');
}
