import type { Identity } from '../access/identity.ts';
import type { ProvenClaims } from '../access/proven-claims.ts';
import { notAuthorized } from '../access/refused-credential.ts';
import type { MaybePromise } from '../base/maybe-promise.ts';
import type { Kms } from './kms.ts';

/**
 * Whom the bindings of tenants let the bearer of proven claims be, without a promise when that is held in memory: the way from what
 * a credential of an issuer proves to an identity, whatever kind of credential it is.
 *
 * @param named the tenant that the call is for, as it was sent
 * @throws KmsError `UNAUTHORIZED`, the same for claims that have expired, that no binding matches, and that are denied;
 *   `TENANT_MISMATCH` when the bindings of several tenants match and the call names none of them.
 */
export function resolveIdentity(
  { identities, clock }: Pick<Kms, 'identities' | 'clock'>,
  proven: ProvenClaims,
  named?: string,
): MaybePromise<Identity> {
  if (proven.expiresAt <= clock()) throw notAuthorized();
  return identities.find(proven, named);
}
