import { claimsOfCertificate } from './certificate-claims.ts';
import { andThen } from '../base/maybe-promise.ts';
import type { CredentialVerifier, PresentedCredentials } from '../ports/credential-verifier.ts';
import { holdsCredentials, verifyCredentials } from './credentials.ts';
import type { Kms } from './kms.ts';
import { resolveIdentity } from './resolve-identity.ts';
import { refusedBeside, requireUndenied } from './undenied-certificate.ts';

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
      return andThen(verifyCredentials(others, presented), (identity) => {
        // A connection may outlast it. It narrows no other credential then, so nothing is taken beside it.
        if (proven.expiresAt <= kms.clock()) throw refusedBeside(proven, identity, 'expired');
        return requireUndenied(kms, proven, identity);
      });
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
