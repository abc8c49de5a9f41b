import { CERTIFICATE_ISSUER, CERTIFICATE_LIFETIME_SECONDS } from '../access/certificate-issuer.ts';
import type { Identity } from '../access/identity.ts';
import type { ProvenClaims } from '../access/proven-claims.ts';
import { notAuthorized, RefusedCredential } from '../access/refused-credential.ts';
import { andThen, type MaybePromise } from '../base/maybe-promise.ts';
import { KmsError } from '../errors/kms-error.ts';
import type { CredentialVerifier, PresentedCertificate } from '../ports/credential-verifier.ts';
import { verifyCredentials } from './credentials.ts';
import type { Kms } from './kms.ts';
import { resolveIdentity } from './resolve-identity.ts';

/** A certificate with more names proves none but its fingerprint and its common name: each of them is looked up. */
const MOST_NAMES = 64;
/** A name of several lines, or of blanks, is in no binding, and must not be in a line of the log. */
const ONE_LINE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

type Parts = Pick<Kms, 'identities' | 'clock'>;

/**
 * Checks certificates of clients, alone and beside other credentials. What one lets its holder do is for the bindings of tenants to say
 * (issuer {@link CERTIFICATE_ISSUER}, claims `san.uri`, `san.dns`, `san.email`, `subject.cn`, `fingerprint`). Beside another credential it
 * only narrows: if tenants know it, that of the other credential has to be among them, and must not deny it.
 *
 * @param others what checks the other credentials, in the order in which they are asked
 */
export function certificateVerifier(kms: Parts, others: readonly CredentialVerifier[]): CredentialVerifier {
  // One object for each connection, so that it is looked at once.
  const known = new WeakMap<PresentedCertificate, ProvenClaims>();
  const provenBy = (certificate: PresentedCertificate): ProvenClaims => {
    const before = known.get(certificate);
    if (before !== undefined) return before;
    const proven = provenClaims(certificate);
    known.set(certificate, proven);
    return proven;
  };
  return {
    verify: (presented) => {
      const { bearer, certificate, tenant } = presented;
      if (certificate === undefined) return undefined;
      // A connection may outlast it. It narrows no other credential then, so nothing is taken beside it.
      if (endOf(certificate) <= kms.clock()) throw notAuthorized();
      const proven = provenBy(certificate);
      if (bearer === undefined) return resolveIdentity(kms, proven, tenant);
      return andThen(verifyCredentials(others, presented), (identity) => requireFit(kms, proven, identity));
    },
  };
}

/** What a certificate proves. */
function provenClaims(certificate: PresentedCertificate): ProvenClaims {
  const { uris, dnsNames, emails, commonName, fingerprint, notBefore } = certificate;
  const isBounded = uris.length + dnsNames.length + emails.length <= MOST_NAMES;
  const named = isBounded ? { 'san.uri': uris, 'san.dns': dnsNames, 'san.email': emails } : {};
  const all = { ...named, 'subject.cn': commonName === undefined ? [] : [commonName], fingerprint: [fingerprint] };
  const claims = Object.entries(all)
    .map(([claim, values]) => [claim, values.filter((value) => ONE_LINE.test(value))] as const)
    .filter(([, values]) => values.length > 0);
  const [first] = claims;
  return {
    name: `${CERTIFICATE_ISSUER} ${fingerprint}`,
    credential: 'certificate',
    issuer: CERTIFICATE_ISSUER,
    // The most telling of its names; there is always a fingerprint.
    subject: first?.[1][0] ?? fingerprint,
    credentialId: fingerprint,
    issuedAt: notBefore,
    expiresAt: endOf(certificate),
    claims: new Map(claims),
    mfa: false,
  };
}

function endOf({ notBefore, notAfter }: PresentedCertificate): number {
  return Math.min(notAfter, notBefore + CERTIFICATE_LIFETIME_SECONDS * 1000);
}

/** The identity, if its tenant is one of those that know the certificate, or none does. */
function requireFit(kms: Parts, proven: ProvenClaims, identity: Identity): MaybePromise<Identity> {
  const holder = attempt(() => resolveIdentity(kms, proven));
  return andThen(holder, (found) => {
    if (!KmsError.is(found)) return fitting(identity, found);
    if (RefusedCredential.is(found)) throw found;
    // Nobody knows it: it proves nothing of anybody, and beside another credential need not.
    if (found.code === 'UNAUTHORIZED') return identity;
    if (found.code !== 'TENANT_MISMATCH' || identity.tenantId === null) throw found;
    return andThen(
      attempt(() => resolveIdentity(kms, proven, identity.tenantId ?? undefined)),
      (one) => {
        if (!KmsError.is(one)) return fitting(identity, one);
        throw RefusedCredential.is(one) ? one : mismatch();
      },
    );
  });
}

function fitting(identity: Identity, holder: Identity): Identity {
  if (identity.tenantId === holder.tenantId) return identity;
  throw mismatch();
}

function mismatch(): KmsError {
  return new KmsError(
    'TENANT_MISMATCH',
    'The certificate of the connection belongs to another tenant than the credential.',
  );
}

/** What the work makes, or the error of the KMS that it ends with. */
function attempt<T>(work: () => MaybePromise<T>): MaybePromise<T | KmsError> {
  const caught = (error: unknown): KmsError => {
    if (KmsError.is(error)) return error;
    throw error;
  };
  try {
    const made = work();
    return made instanceof Promise ? made.catch(caught) : made;
  } catch (error) {
    return caught(error);
  }
}
