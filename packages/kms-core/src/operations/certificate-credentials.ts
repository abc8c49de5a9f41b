import { claimsOfCertificate } from './certificate-claims.ts';
import type { Identity } from '../access/identity.ts';
import { type ProvenClaims, subjectOf } from '../access/proven-claims.ts';
import { notAuthorized, RefusedCredential } from '../access/refused-credential.ts';
import { andThen, type MaybePromise } from '../base/maybe-promise.ts';
import type { CredentialVerifier, PresentedCredentials } from '../ports/credential-verifier.ts';
import { holdsCredentials, verifyCredentials } from './credentials.ts';
import type { Kms } from './kms.ts';
import { resolveIdentity } from './resolve-identity.ts';

type Parts = Pick<Kms, 'identities' | 'clock'>;

/**
 * Checks certificates of clients, alone and beside other credentials. What one lets its holder do is for the bindings of tenants to say
 * (issuer `mtls`, claims `san.uri`, `san.dns`, `san.email`, `subject.cn`, `fingerprint`). Beside another credential it
 * only narrows: the tenant of the other credential must not deny it, and bindings of that tenant may demand it.
 *
 * @param others what checks the other credentials, in the order in which they are asked
 */
export function certificateVerifier(kms: Parts, others: readonly CredentialVerifier[]): CredentialVerifier {
  return {
    verify: (presented) => {
      const { certificate, tenant } = presented;
      if (certificate === undefined) return undefined;
      const proven = claimsOfCertificate(certificate);
      if (isAlone(presented)) return resolveIdentity(kms, proven, tenant);
      // A connection may outlast it. It narrows no other credential then, so nothing is taken beside it.
      if (proven.expiresAt <= kms.clock()) throw notAuthorized();
      return andThen(verifyCredentials(others, presented), (identity) => requireFit(kms, proven, identity));
    },
    holds: (presented) => {
      const { certificate, tenant } = presented;
      if (certificate === undefined) return false;
      return isAlone(presented)
        ? kms.identities.holds(claimsOfCertificate(certificate), tenant)
        : holdsCredentials(others, presented);
    },
  };
}

/** Whether a certificate is all that is presented: beside another credential it proves nothing that this one does not. */
function isAlone({ bearer, signature }: PresentedCredentials): boolean {
  return bearer === undefined && signature === undefined;
}

/**
 * The identity, unless its tenant denies the certificate. What other tenants make of the certificate counts for nothing here: else any of
 * them could keep everybody out whose certificates it binds. Nor need a tenant bind the certificates of those whom it lets in by something
 * else.
 */
function requireFit({ identities }: Parts, proven: ProvenClaims, identity: Identity): MaybePromise<Identity> {
  const { tenantId } = identity;
  if (tenantId === null) return identity;
  return andThen(identities.denies(proven, tenantId), (isDenied) => {
    if (!isDenied) return identity;
    const holder = { subject: subjectOf(proven), tenantId, credential: proven.credential };
    throw new RefusedCredential(holder, 'denied');
  });
}
