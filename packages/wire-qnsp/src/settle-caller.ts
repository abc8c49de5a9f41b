import type { Call } from '@qnsp/http-edge';
import type { RawRequest } from '@qnsp/kms-contract';
import { type Caller, SYSTEM_TENANT } from '@qnsp/kms-core';
import type { QnspTarget } from './qnsp-target.ts';
import { namedTenant, namesTenant } from './tenant.ts';

/**
 * Settles for which tenant a call is; `undefined` for one that nobody signs in to.
 *
 * @throws KmsError `TENANT_MISMATCH`, or `BAD_REQUEST` for a platform credential that names no tenant where one is needed.
 */
export function settleCaller(call: Call<QnspTarget>, raw: RawRequest): Caller | undefined {
  if (call.signedIn === undefined) return undefined;
  const { tenantId } = call.signedIn.identity;
  const { scope } = call.target.kind.route;
  const address = call.callerAddress();
  // On platform routes a tenant in the body is what the call is about, not who calls.
  const platform = tenantId === null && (scope === 'platform' || (scope === 'either' && !namesTenant(raw)));
  return call.settle(platform ? SYSTEM_TENANT : namedTenant(tenantId, raw), address);
}
