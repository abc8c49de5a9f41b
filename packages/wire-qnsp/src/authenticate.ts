import type { RawRequest, Route } from '@qnsp/kms-contract';
import { type Caller, callerOf, type Identity, SYSTEM_TENANT } from '@qnsp/kms-core';
import { namedTenant, namesTenant } from './tenant.ts';

/**
 * Turns a credential into the caller of one request: settles for which tenant it is.
 *
 * @throws KmsError `TENANT_MISMATCH`, or `BAD_REQUEST` for a platform credential that names no tenant where one is needed.
 */
export function authenticate(identity: Identity, route: Route, raw: RawRequest, ip: string | null): Caller {
  // On platform routes a tenant in the body is what the call is about, not who calls.
  const platform =
    identity.tenantId === null && (route.scope === 'platform' || (route.scope === 'either' && !namesTenant(raw)));
  return callerOf(identity, platform ? SYSTEM_TENANT : namedTenant(identity.tenantId, raw), ip);
}
