import type { ProvenClaims } from '@qnsp/kms-core/internal';
import { Refusal, type SignedRefusalReason } from './refusal.ts';
import type { JsonObject } from './strict-json.ts';
import type { TrustedIssuer } from './trusted-issuers.ts';

const MOST_VALUES = 512;
const MOST_VALUE_CHARACTERS = 512;
const MOST_LEVELS = 4;
const MOST_SUBJECT_CHARACTERS = 255;
// C0 and C1 controls, and the line separators that some log readers treat as the end of a line.
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/** What a token whose signature is right proves, or would if it were for this service and this time. */
export interface TokenClaims {
  readonly proven: ProvenClaims;
  /** SHA-256 of the only certificate beside which it counts, as 64 hexadecimal digits; `undefined` where it counts beside any and none. */
  readonly certificate: string | undefined;
  /** What is wrong with it, if something is. */
  readonly refusedFor: SignedRefusalReason | undefined;
}

/**
 * Reads the claims of a token.
 *
 * @param name tells the token from others
 * @param now milliseconds since 1970
 * @throws Refusal for one that is of another issuer, or lacks a claim.
 */
export function proveClaims(claims: JsonObject, issuer: TrustedIssuer, name: string, now: number): TokenClaims {
  const { iss, aud, sub, jti, exp, iat, nbf, amr, cnf } = claims;
  if (iss !== issuer.issuer) throw new Refusal('unknown-issuer');
  if (!isSubject(sub) || (jti !== undefined && !isSubject(jti))) throw new Refusal('claims');
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  if (!audiences.every((each) => typeof each === 'string')) throw new Refusal('claims');
  if (!isTime(exp) || !isTime(iat) || (nbf !== undefined && !isTime(nbf))) throw new Refusal('claims');
  const { audiences: own, clockToleranceSeconds: tolerance, maxLifetimeSeconds } = issuer;
  const seconds = now / 1000;
  const refusedFor = (): SignedRefusalReason | undefined => {
    if (!own.some((audience) => audiences.includes(audience))) return 'audience';
    if (exp + tolerance <= seconds) return 'expired';
    if (iat - tolerance > seconds || (nbf ?? 0) - tolerance > seconds) return 'not-yet-valid';
    return exp <= iat || exp - iat > maxLifetimeSeconds ? 'lifetime' : undefined;
  };
  const proven: ProvenClaims = {
    name,
    credential: 'jwt',
    issuer: iss,
    subject: sub,
    credentialId: jti ?? null,
    issuedAt: iat * 1000,
    expiresAt: (exp + tolerance) * 1000,
    claims: valuesOf(claims),
    // RFC 8176.
    mfa: Array.isArray(amr) && amr.includes('mfa'),
  };
  return { proven, certificate: certificateOf(cnf), refusedFor: refusedFor() };
}

/**
 * The certificate that a token is bound to (RFC 8705, section 3.1). What else may confirm who presents it is nothing that this service
 * understands, and is to be ignored then (RFC 7800, section 3.1).
 */
function certificateOf(cnf: unknown): string | undefined {
  if (cnf === undefined) return undefined;
  if (typeof cnf !== 'object' || cnf === null || Array.isArray(cnf)) throw new Refusal('claims');
  const { 'x5t#S256': thumbprint } = cnf as JsonObject;
  if (thumbprint === undefined) return undefined;
  const digest = typeof thumbprint === 'string' ? Buffer.from(thumbprint, 'base64url') : Buffer.alloc(0);
  // Only what is spelt as the standard has it: 32 bytes in base64url, without padding.
  if (digest.length !== 32 || digest.toString('base64url') !== thumbprint) throw new Refusal('claims');
  return digest.toString('hex');
}

/** NumericDate of RFC 7519. */
function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 && value <= Number.MAX_SAFE_INTEGER / 1000;
}

/** One line of text, as evidence and the log have it. */
function isSubject(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length > 0 &&
    value.length <= MOST_SUBJECT_CHARACTERS &&
    value.isWellFormed() &&
    !CONTROL.test(value)
  );
}

/**
 * The values of claims by their names. A claim inside of another one is named by a JSON pointer (RFC 6901), which begins with `/`; a
 * claim whose own name does is left out, so that neither can be taken for the other. Values that are too long are left out.
 */
function valuesOf(claims: JsonObject): ProvenClaims['claims'] {
  const values = new Map<string, string[]>();
  let count = 0;
  const add = (name: string, value: unknown): void => {
    const text = typeof value === 'number' || typeof value === 'boolean' ? String(value) : value;
    if (typeof text !== 'string' || text.length > MOST_VALUE_CHARACTERS) return;
    count += 1;
    // A part of them would be somebody else.
    if (count > MOST_VALUES) throw new Refusal('claims');
    const known = values.get(name);
    if (known === undefined) values.set(name, [text]);
    else known.push(text);
  };
  const walk = (name: string, value: unknown, levels: number): void => {
    if (Array.isArray(value)) for (const item of value) add(name, item);
    else if (typeof value !== 'object' || value === null) add(name, value);
    else if (levels < MOST_LEVELS)
      for (const [inner, member] of Object.entries(value))
        walk(`${levels === 0 ? `/${escaped(name)}` : name}/${escaped(inner)}`, member, levels + 1);
  };
  for (const [name, value] of Object.entries(claims)) if (!name.startsWith('/')) walk(name, value, 0);
  return values;
}

function escaped(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}
