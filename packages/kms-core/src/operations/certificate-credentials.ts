import { CERTIFICATE_ISSUER, CERTIFICATE_LIFETIME_SECONDS } from '../access/certificate-issuer.ts';
import type { Identity } from '../access/identity.ts';
import { type ProvenClaims, subjectOf } from '../access/proven-claims.ts';
import { notAuthorized, RefusedCredential } from '../access/refused-credential.ts';
import { andThen, type MaybePromise } from '../base/maybe-promise.ts';
import type { CredentialVerifier, PresentedCertificate } from '../ports/credential-verifier.ts';
import { holdsCredentials, verifyCredentials } from './credentials.ts';
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
 * only narrows: the tenant of the other credential must not deny it.
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
      const proven = provenBy(certificate);
      if (bearer === undefined) return resolveIdentity(kms, proven, tenant);
      // A connection may outlast it. It narrows no other credential then, so nothing is taken beside it.
      if (proven.expiresAt <= kms.clock()) throw notAuthorized();
      return andThen(verifyCredentials(others, presented), (identity) => requireFit(kms, proven, identity));
    },
    holds: (presented) => {
      const { bearer, certificate, tenant } = presented;
      if (certificate === undefined) return false;
      return bearer === undefined
        ? kms.identities.holds(provenBy(certificate), tenant)
        : holdsCredentials(others, presented);
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
    subject: subjectAmong(first, fingerprint),
    credentialId: fingerprint,
    issuedAt: notBefore,
    expiresAt: endOf(certificate),
    claims: new Map(claims),
    mfa: false,
  };
}

/**
 * The most telling of its names; there is always a fingerprint. Only a URI stands for itself: authorities that look at URIs may let any
 * text through as a common name, also one that looks like a URI.
 */
function subjectAmong(first: readonly [string, readonly string[]] | undefined, fingerprint: string): string {
  const [claim, [value]] = first ?? ['fingerprint', [fingerprint]];
  return claim === 'san.uri' && value !== undefined ? value : `${claim}=${value ?? fingerprint}`;
}

function endOf({ notBefore, notAfter }: PresentedCertificate): number {
  return Math.min(notAfter, notBefore + CERTIFICATE_LIFETIME_SECONDS * 1000);
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
