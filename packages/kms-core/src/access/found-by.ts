import { hash } from 'node:crypto';
import { lengthPrefixed } from '../encoding/length-prefixed.ts';
import type { ClaimMatch, IdentityDenialRecord } from './identity-binding.ts';
import type { ProvenClaims } from './proven-claims.ts';

/*
 * Bindings and denials are found by a SHA-256 of what they ask for, so that a credential is looked up by a few values, however many
 * bindings an issuer has. A binding is found by one of its claims. If that is the beginning of a value, it is found by as much of it as
 * is one of a few lengths, so that a value has few of those.
 */

type How = 'is' | 'begins' | 'denied';

/** The lengths in bytes of beginnings that bindings are found by: finer where they differ, as after the names of namespaces. */
const LENGTHS: readonly number[] = [
  1,
  2,
  3,
  ...Array.from({ length: 16 }, (_, index) => 4 * (index + 1)),
  ...Array.from({ length: 28 }, (_, index) => 64 + 16 * (index + 1)),
];

/** What every credential of an issuer has, or who asks for one chooses: nobody is told apart by it. */
const TELL_NOBODY_APART: ReadonlySet<string> = new Set(['iss', 'aud']);

/** The claims of a match by which somebody is told from the others of the issuer, in one order. */
export function tellingClaims(match: ClaimMatch): readonly (readonly [claim: string, value: string])[] {
  return Object.entries(match)
    .filter(([claim, value]) => value !== '*' && !TELL_NOBODY_APART.has(claim))
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

function nameOf(issuer: string, how: How, claim: string, value: string | Uint8Array): Buffer {
  return hash('sha256', lengthPrefixed(['qnsp-kms/v1/identity', issuer, how, claim, value]), 'buffer');
}

/** What a binding is found by: a whole value, if it asks for one, otherwise the longest beginning. */
export function foundByMatch(issuer: string, match: ClaimMatch): Buffer {
  const claims = tellingClaims(match);
  const whole = claims.find(([, value]) => !value.endsWith('*'));
  if (whole !== undefined) return nameOf(issuer, 'is', ...whole);
  const beginnings = claims.map(([claim, value]) => [claim, beginningOf(value.slice(0, -1))] as const);
  const [claim, beginning] = beginnings.reduce(
    (longest, each) => (each[1].length > longest[1].length ? each : longest),
    ['', Buffer.alloc(0)],
  );
  return nameOf(issuer, 'begins', claim, beginning);
}

/** What a denial is found by. */
export function foundByDenial({
  issuer,
  claim,
  value,
}: Pick<IdentityDenialRecord, 'issuer' | 'claim' | 'value'>): Buffer {
  return nameOf(issuer, 'denied', claim, value);
}

/** By what whatever concerns a credential may be found. */
export function namesOf({ issuer, subject, credentialId, claims }: ProvenClaims): {
  readonly bindings: readonly Buffer[];
  readonly denials: readonly Buffer[];
} {
  const bindings: Buffer[] = [];
  for (const [claim, values] of claims)
    for (const value of values) {
      bindings.push(nameOf(issuer, 'is', claim, value));
      const bytes = Buffer.from(value);
      for (const length of LENGTHS) {
        if (length > bytes.length) break;
        bindings.push(nameOf(issuer, 'begins', claim, bytes.subarray(0, length)));
      }
    }
  const denials = [nameOf(issuer, 'denied', 'sub', subject)];
  if (credentialId !== null) denials.push(nameOf(issuer, 'denied', 'jti', credentialId));
  return { bindings, denials };
}

function beginningOf(text: string): Buffer {
  const bytes = Buffer.from(text);
  return bytes.subarray(
    0,
    LENGTHS.findLast((length) => length <= bytes.length),
  );
}

/** Whether proven claims are what a binding asks for. */
export function matches(match: ClaimMatch, claims: ProvenClaims['claims']): boolean {
  return Object.entries(match).every(([claim, wanted]) =>
    claims
      .get(claim)
      ?.some((value) => (wanted.endsWith('*') ? value.startsWith(wanted.slice(0, -1)) : value === wanted)),
  );
}
