import { claimsOfCertificate } from './certificate-claims.ts';
import type { Identity } from '../access/identity.ts';
import type { ProvenClaims } from '../access/proven-claims.ts';
import { notAuthorized, RefusedCredential } from '../access/refused-credential.ts';
import { andThen, type MaybePromise } from '../base/maybe-promise.ts';
import { KmsError } from '../errors/kms-error.ts';
import type { RefusedFor } from '../model/audit-event.ts';
import type { PresentedCertificate } from '../ports/credential-verifier.ts';
import { attempt } from './attempt.ts';
import type { Kms } from './kms.ts';
import { requireUndenied } from './undenied-certificate.ts';

/**
 * Whom the bindings of tenants let the bearer of proven claims be, without a promise when that is held in memory: the way from what
 * a credential of an issuer proves to an identity, whatever kind of credential it is.
 *
 * @param named the tenant that the call is for, as it was sent
 * @param certificate what the client of the connection has proven to be, where that is not what the claims are of
 * @throws KmsError `UNAUTHORIZED`, the same for claims that have expired, that no binding matches, and that are denied, or whose
 *   certificate is;
 *   `TENANT_MISMATCH` when the bindings of several tenants match and the call names none of them.
 */
export function resolveIdentity(
  { identities, clock }: Pick<Kms, 'identities' | 'clock'>,
  proven: ProvenClaims,
  named?: string,
  certificate?: PresentedCertificate,
): MaybePromise<Identity> {
  if (proven.expiresAt <= clock()) return refuseProven({ identities }, proven, 'expired', named, certificate);
  const beside = certificate && claimsOfCertificate(certificate);
  // A connection may outlast it, and what is held does not look at the time.
  if (beside === undefined || beside.expiresAt <= clock()) return identities.find(proven, named);
  return andThen(identities.find(proven, named, beside), (identity) =>
    requireUndenied({ identities }, beside, identity),
  );
}

/**
 * Refuses the bearer of proven claims who would be let in, had the credential nothing wrong with it: whose it is, is known then.
 *
 * @param named the tenant that the call is for, as it was sent
 * @param certificate what the client of the connection has proven to be, where that is not what the claims are of
 * @throws KmsError `UNAUTHORIZED` always: a `RefusedCredential` where the bindings of one tenant match.
 */
export function refuseProven(
  { identities }: Pick<Kms, 'identities'>,
  proven: ProvenClaims,
  refusedFor: RefusedFor,
  named?: string,
  certificate?: PresentedCertificate,
): MaybePromise<never> {
  const refuse = (found: Identity | KmsError): never => {
    if (!KmsError.is(found)) throw new RefusedCredential(found, refusedFor);
    // Where several tenants match it is nobody's: it did not say whose it wants to be.
    throw found.code === 'TENANT_MISMATCH' ? notAuthorized() : found;
  };
  return andThen(
    attempt(() => identities.find(proven, named, certificate && claimsOfCertificate(certificate))),
    refuse,
  );
}
