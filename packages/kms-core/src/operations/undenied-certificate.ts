import type { Identity } from '../access/identity.ts';
import { type ProvenClaims, subjectOf } from '../access/proven-claims.ts';
import { RefusedCredential } from '../access/refused-credential.ts';
import { andThen, type MaybePromise } from '../base/maybe-promise.ts';
import type { Kms } from './kms.ts';

/**
 * The identity that another credential has, unless its tenant denies the certificate beside which that came. What other tenants make of the
 * certificate counts for nothing here: else any of them could keep everybody out whose certificates it binds. Nor need a tenant bind the
 * certificates of those whom it lets in by something else.
 *
 * @param proven what the certificate proves
 */
export function requireUndenied(
  { identities }: Pick<Kms, 'identities'>,
  proven: ProvenClaims,
  identity: Identity,
): MaybePromise<Identity> {
  const { tenantId } = identity;
  if (tenantId === null) return identity;
  return andThen(identities.denies(proven, tenantId), (isDenied) => {
    if (!isDenied) return identity;
    throw refusedBeside(proven, identity, 'denied');
  });
}

/** That a certificate is refused, beside which a credential came: the tenant of that credential is told. */
export function refusedBeside(
  proven: ProvenClaims,
  { tenantId }: Identity,
  refusedFor: 'denied' | 'expired',
): RefusedCredential {
  return new RefusedCredential({ subject: subjectOf(proven), tenantId, credential: proven.credential }, refusedFor);
}
