import type { PresentedCertificate } from '../ports/credential-verifier.ts';
import { CERTIFICATE_ISSUER, CERTIFICATE_LIFETIME_SECONDS } from '../access/certificate-issuer.ts';
import type { ProvenClaims } from '../access/proven-claims.ts';

/** A certificate with more names proves none but its fingerprint and its common name: each of them is looked up. */
const MOST_NAMES = 64;
/** A name of several lines, or of blanks, is in no binding, and must not be in a line of the log. */
const ONE_LINE = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;

/** One object for each connection, so that it is looked at once. */
const KNOWN = new WeakMap<PresentedCertificate, ProvenClaims>();

/** What a certificate proves. */
export function claimsOfCertificate(certificate: PresentedCertificate): ProvenClaims {
  const before = KNOWN.get(certificate);
  if (before !== undefined) return before;
  const proven = readClaims(certificate);
  KNOWN.set(certificate, proven);
  return proven;
}

function readClaims(certificate: PresentedCertificate): ProvenClaims {
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
