import { CERTIFICATE_ISSUER } from '@qnsp/kms-core/internal';
import { isJwtAlgorithm, JWT_ALGORITHMS, type JwtAlgorithm } from './algorithms.ts';
import { isSafeUrl } from './fetch-json.ts';
import { parseStrictObject } from './strict-json.ts';

/** Where the keys of an issuer are had from. */
type KeySource =
  | { readonly kind: 'url'; readonly url: URL }
  | { readonly kind: 'file'; readonly path: string }
  /** Its `/.well-known/openid-configuration` says where. */
  | { readonly kind: 'discovery' };

/** An issuer whose tokens are taken. */
export interface TrustedIssuer {
  /** The claim `iss`, to the character. */
  readonly issuer: string;
  /** One of these has to be in the claim `aud`. */
  readonly audiences: readonly string[];
  readonly keys: KeySource;
  readonly algorithms: readonly JwtAlgorithm[];
  /** By how much its clock may differ. */
  readonly clockToleranceSeconds: number;
  /** From `iat` to `exp`. */
  readonly maxLifetimeSeconds: number;
}

/** That the issuers are not set as they have to be. Holds no secret: there is none in them. */
export class InvalidIssuers extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = 'InvalidIssuers';
  }
}

const MOST_ISSUERS = 32;
const MOST_CHARACTERS = 512;
const DEFAULT_LIFETIME_SECONDS = 24 * 60 * 60;
const LONGEST_LIFETIME_SECONDS = 366 * 24 * 60 * 60;
const DEFAULT_TOLERANCE_SECONDS = 30;
const LONGEST_TOLERANCE_SECONDS = 300;
const SOURCES = ['jwksUrl', 'jwksFile', 'discovery'] as const;
const MEMBERS: ReadonlySet<string> = new Set([
  'issuer',
  'audience',
  ...SOURCES,
  'algorithms',
  'clockToleranceSeconds',
  'maxLifetimeSeconds',
]);

/**
 * Reads the issuers that an operator trusts.
 *
 * @param text a JSON list of `{"issuer", "audience", "jwksUrl" | "jwksFile" | "discovery": true, "algorithms"?,
 *   "clockToleranceSeconds"?, "maxLifetimeSeconds"?}`
 * @throws InvalidIssuers naming the issuer and the member that is wrong.
 */
export function readTrustedIssuers(text: string): readonly TrustedIssuer[] {
  // Inside of an object, so that a member that occurs twice is seen.
  const list = parseStrictObject(`{"issuers":${text}}`)?.['issuers'];
  if (!Array.isArray(list))
    throw new InvalidIssuers('must be a JSON list of issuers, in which no member of an object occurs twice');
  if (list.length === 0 || list.length > MOST_ISSUERS)
    throw new InvalidIssuers(`must have 1 to ${MOST_ISSUERS} issuers`);
  const issuers = list.map(readIssuer);
  const twice = issuers.find(({ issuer }, at) => issuers.findIndex((other) => other.issuer === issuer) < at);
  if (twice !== undefined)
    throw new InvalidIssuers(`has the issuer ${twice.issuer} twice: list its audiences in one entry`);
  return issuers;
}

function readIssuer(entry: unknown, at: number): TrustedIssuer {
  const fail = (reason: string): never => {
    throw new InvalidIssuers(`entry ${at + 1}: ${reason}`);
  };
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return fail('must be an object');
  const members = new Map<string, unknown>(Object.entries(entry));
  const unknown = [...members.keys()].find((name) => !MEMBERS.has(name));
  if (unknown !== undefined) fail(`has the unknown member ${unknown}`);
  const text = (name: string, value: unknown = members.get(name)): string =>
    typeof value === 'string' && value.length > 0 && value.length <= MOST_CHARACTERS && value.trim() === value
      ? value
      : fail(`${name} must be text of 1 to ${MOST_CHARACTERS} characters`);
  const whole = (name: string, standard: number, least: number, most: number): number => {
    const value = members.get(name) ?? standard;
    return typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
      ? value
      : fail(`${name} must be a whole number from ${least} to ${most}`);
  };
  const issuer = text('issuer');
  if (issuer.includes('#')) fail('issuer must not have a #');
  if (issuer === CERTIFICATE_ISSUER)
    fail(`issuer must not be ${CERTIFICATE_ISSUER}, which stands for certificates of clients`);
  const audience = members.get('audience');
  const audiences = Array.isArray(audience)
    ? audience.map((each: unknown) => text('audience', each))
    : [text('audience')];
  if (audiences.length === 0) fail('audience must not be empty: it keeps tokens for other services out');
  return {
    issuer,
    audiences,
    keys: readSource(members, issuer, fail),
    algorithms: readAlgorithms(members.get('algorithms'), fail),
    clockToleranceSeconds: whole('clockToleranceSeconds', DEFAULT_TOLERANCE_SECONDS, 0, LONGEST_TOLERANCE_SECONDS),
    maxLifetimeSeconds: whole('maxLifetimeSeconds', DEFAULT_LIFETIME_SECONDS, 1, LONGEST_LIFETIME_SECONDS),
  };
}

type Fail = (reason: string) => never;

function readSource(members: ReadonlyMap<string, unknown>, issuer: string, fail: Fail): KeySource {
  const given = SOURCES.filter((name) => members.has(name));
  const [source] = given;
  if (source === undefined || given.length > 1) return fail(`must have one of ${SOURCES.join(', ')}`);
  const value = members.get(source);
  if (source === 'discovery') {
    if (value !== true) fail('discovery must be true');
    if (!isSafeUrl(issuer)) fail('issuer must be an https URL for discovery (http only on this machine)');
    return { kind: 'discovery' };
  }
  if (typeof value !== 'string' || value === '') return fail(`${source} must be text`);
  if (source === 'jwksFile') return { kind: 'file', path: value };
  if (!isSafeUrl(value)) fail('jwksUrl must be an https URL (http only on this machine)');
  return { kind: 'url', url: new URL(value) };
}

function readAlgorithms(value: unknown, fail: Fail): readonly JwtAlgorithm[] {
  if (value === undefined) return JWT_ALGORITHMS;
  if (!Array.isArray(value) || value.length === 0) return fail('algorithms must be a list that is not empty');
  return value.map((each: unknown) =>
    isJwtAlgorithm(each) ? each : fail(`algorithms may have ${JWT_ALGORITHMS.join(', ')} and no others`),
  );
}
