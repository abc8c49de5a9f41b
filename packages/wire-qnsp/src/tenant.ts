import type { IncomingHttpHeaders } from 'node:http';
import type { Call } from '@qnsp/http-edge';
import type { RawRequest } from '@qnsp/kms-contract';
import { type Caller, isUuid, KmsError, SYSTEM_TENANT } from '@qnsp/kms-core';
import { badRequest } from '@qnsp/kms-core/ports';
import type { QnspTarget } from './qnsp-target.ts';

/**
 * Settles for which tenant a call is; `undefined` for one that nobody signs in to.
 *
 * @throws KmsError `TENANT_MISMATCH`, or `BAD_REQUEST` for a platform credential that names no tenant where one is needed.
 */
export function settleCaller(call: Call<QnspTarget>, { headers, query, body, params }: RawRequest): Caller | undefined {
  if (call.signedIn === undefined) return undefined;
  const { tenantId: ofCredential } = call.signedIn.identity;
  const { scope } = call.target.kind.route;
  // What the request says in the places where it may name a tenant.
  const places = [
    headers?.['x-qnsp-tenant'],
    headers?.['x-qnsp-tenant-id'],
    headers?.['x-tenant-id'],
    query?.['tenantId'],
    typeof body === 'object' && body !== null && 'tenantId' in body ? body.tenantId : undefined,
    params?.['tenantId'],
  ];
  const claims = [];
  for (const said of places) if (said !== undefined && said !== null && said !== '') claims.push(said);
  // On platform routes a tenant in the body is what the call is about, not who calls.
  const platform = ofCredential === null && (scope === 'platform' || (scope === 'either' && claims.length === 0));
  if (platform) return call.settle(SYSTEM_TENANT);
  // The tenant of the credential, which every one that the request names must equal, or for a platform credential the one that it names.
  let tenantId = ofCredential;
  for (const claim of claims) {
    if (typeof claim !== 'string') throw badRequest('tenantId', 'must be one UUID');
    tenantId ??= claim.toLowerCase();
    if (claim.toLowerCase() !== tenantId)
      throw new KmsError('TENANT_MISMATCH', 'The request names a tenant other than that of the credential.');
  }
  if (tenantId === null)
    throw badRequest('tenantId', 'a platform credential must name the tenant, e.g. in the header x-qnsp-tenant');
  if (!isUuid(tenantId) || tenantId === SYSTEM_TENANT) throw badRequest('tenantId', 'must be the UUID of a tenant');
  return call.settle(tenantId);
}

/** The tenant that the headers of a request name, which is known before its body is read. */
export function tenantHeader(headers: IncomingHttpHeaders): string | undefined {
  const said = headers['x-qnsp-tenant'] ?? headers['x-qnsp-tenant-id'] ?? headers['x-tenant-id'];
  return said === undefined || said === '' ? undefined : String(said);
}

/** Checks a tenant that an item of a batch names. Throws `TENANT_MISMATCH`. */
export function requireSameTenant(caller: Caller, item: unknown): void {
  if (isOfTenant(caller, item)) return;
  throw new KmsError('TENANT_MISMATCH', 'The item names a tenant other than that of the credential.');
}

/** Whether an item of a batch names no tenant other than that of the caller. */
export function isOfTenant(caller: Caller, item: unknown): boolean {
  const named = typeof item === 'object' && item !== null && 'tenantId' in item ? item.tenantId : undefined;
  return named === undefined || named === caller.tenantId;
}
