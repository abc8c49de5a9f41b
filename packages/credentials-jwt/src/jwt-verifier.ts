import { hash, randomBytes } from 'node:crypto';
import { type CredentialVerifier, type Identity, KmsError, type PresentedCredentials } from '@qnsp/kms-core';
import type { ProvenClaims } from '@qnsp/kms-core/internal';
import { type MaybePromise, type MemoryCache, notAuthorized, type PresentedCertificate } from '@qnsp/kms-core/ports';
import { compactVerify, errors } from 'jose';
import { importedKey, type IssuerKey, IssuerKeys } from './issuer-keys.ts';
import { proveClaims } from './prove-claims.ts';
import { readToken } from './read-token.ts';
import { Refusal, type RefusalReason, type SignedRefusalReason } from './refusal.ts';
import type { TrustedIssuer } from './trusted-issuers.ts';

/** A token whose signature was right, for as long as it is remembered. */
export interface VerifiedToken {
  readonly proven: ProvenClaims;
  /** SHA-256 of the only certificate beside which it counts, as 64 hexadecimal digits; `undefined` where it counts beside any and none. */
  readonly certificate: string | undefined;
  /** What it was signed with. */
  readonly key: IssuerKey;
  readonly keys: IssuerKeys;
}

/** What JWTs are verified against, and what becomes of those that pass. */
export interface JwtVerifierOptions {
  readonly issuers: readonly TrustedIssuer[];
  /** Remembers verified tokens, under a salted hash of them. */
  readonly memory: MemoryCache<VerifiedToken>;
  /**
   * Whom the claims of a token let its bearer be, for the tenant that the call names, beside the certificate of the connection;
   * `resolveIdentity` of the core.
   */
  readonly resolve: (
    proven: ProvenClaims,
    tenant: string | undefined,
    certificate: PresentedCertificate | undefined,
  ) => MaybePromise<Identity>;
  /**
   * Refuses what the issuer has signed and is not for this service or this time; `refuseProven` of the core, which says whose it is.
   * Default: as what nobody signed.
   */
  readonly refuse?: (
    proven: ProvenClaims,
    refusedFor: SignedRefusalReason,
    tenant: string | undefined,
    certificate: PresentedCertificate | undefined,
  ) => MaybePromise<never>;
  /** Whether `resolve` would answer from memory; default: it would not. */
  readonly holds?: (
    proven: ProvenClaims,
    tenant: string | undefined,
    certificate: PresentedCertificate | undefined,
  ) => boolean;
  /** Milliseconds since 1970. */
  readonly clock: () => number;
  /** Hears why a token was refused, and nothing of the token. */
  readonly onRefused?: (reason: RefusalReason) => void;
  /** Hears when the keys of an issuer could not be had. */
  readonly onIssuerFailure?: (issuer: string, error: unknown) => void;
  /** Milliseconds, for what is known of issuers; default: the process's own. */
  readonly monotonic?: () => number;
}

/**
 * Checks JSON Web Tokens (RFC 7519) of the issuers that are trusted. One that was verified is remembered until it expires, its issuer
 * withdraws the key, or there is no room for it: then it needs no public-key operation, and no promise. One that is bound to a certificate
 * (RFC 8705, section 3) counts only on connections whose client has proven to have it.
 *
 * @example
 * import { jwtVerifier, readTrustedIssuers } from '@qnsp/credentials-jwt';
 * import { memoryCache } from '@qnsp/kms-cache';
 * import { refuseProven, resolveIdentity } from '@qnsp/kms-core/internal';
 * const issuers = JSON.stringify([
 *   { issuer: 'https://cluster.example', audience: 'https://kms.example', jwksUrl: 'https://cluster.example/jwks' },
 * ]);
 * const verifier = jwtVerifier({
 *   issuers: readTrustedIssuers(issuers),
 *   memory: memoryCache({ maxEntries: 10_000, maxBytes: 32 * 1024 * 1024, ttlSeconds: 86_400 }),
 *   resolve: (proven, tenant, certificate) => resolveIdentity(kms.parts, proven, tenant, certificate),
 *   refuse: (proven, refusedFor, tenant, certificate) =>
 *     refuseProven(kms.parts, proven, refusedFor, tenant, certificate),
 *   clock: kms.parts.clock,
 * });
 * const presented = { bearer: 'not a token', tenant: undefined };
 * console.log(await verifier.verify(presented)); // undefined
 */
export function jwtVerifier(options: JwtVerifierOptions): CredentialVerifier {
  const { memory, resolve, clock, onRefused = () => undefined, onIssuerFailure = () => undefined } = options;
  const { monotonic = () => performance.now(), refuse = () => unknownToAll() } = options;
  const trusted = new Map(
    options.issuers.map((issuer) => [
      issuer.issuer,
      { issuer, keys: new IssuerKeys(issuer, onIssuerFailure, monotonic) },
    ]),
  );
  // Of this process only: what is held can be found by nothing that is stored.
  const salt = randomBytes(32).toString('base64');

  const verifyNew = async (token: string, name: string): Promise<VerifiedToken> => {
    const { algorithm, kid, claims } = readToken(token);
    const found = typeof claims['iss'] === 'string' ? trusted.get(claims['iss']) : undefined;
    if (found === undefined) throw new Refusal('unknown-issuer');
    const { issuer, keys } = found;
    if (!issuer.algorithms.includes(algorithm)) throw new Refusal('algorithm');
    const { proven, certificate, refusedFor } = proveClaims(claims, issuer, name, clock());
    const signedWith = async (): Promise<IssuerKey> => {
      const key = await keys.find(kid, algorithm);
      await verifySignature(token, key, algorithm);
      return key;
    };
    if (refusedFor !== undefined) {
      await signedWith().catch((error: unknown) => {
        // It is refused for what it says itself, no matter who made it: the key of an old token may be gone by now.
        throw error instanceof Refusal ? new Refusal(refusedFor) : error;
      });
      throw new SignedRefusal(refusedFor, proven);
    }
    const key = await signedWith();
    const verified = { proven, certificate, key, keys };
    memory.set(name, verified, bytesOf(proven));
    return verified;
  };

  const refused = (error: unknown, { tenant, certificate }: PresentedCredentials): MaybePromise<never> => {
    if (error instanceof Refusal) onRefused(error.reason);
    if (error instanceof SignedRefusal) return refuse(error.proven, error.reason, tenant, certificate);
    if (error instanceof Refusal) return unknownToAll();
    if (KmsError.is(error) && error.code === 'UNAUTHORIZED') onRefused('not-bound');
    throw error;
  };

  const identityOf = (token: VerifiedToken, { tenant, certificate }: PresentedCredentials): MaybePromise<Identity> => {
    const { proven } = token;
    if (proven.expiresAt <= clock()) {
      memory.delete(proven.name);
      throw new SignedRefusal('expired', proven);
    }
    if (!isPresentedByOwner(token, certificate)) throw new SignedRefusal('certificate', proven);
    return resolve(proven, tenant, certificate);
  };

  /** A connection may outlast the certificate of its client. */
  const current = (presented: PresentedCredentials): PresentedCredentials =>
    presented.certificate === undefined || presented.certificate.notAfter > clock()
      ? presented
      : { ...presented, certificate: undefined };

  return {
    verify(sent: PresentedCredentials): MaybePromise<Identity | undefined> {
      const { bearer } = sent;
      if (bearer === undefined || !isJwt(bearer)) return undefined;
      const presented = current(sent);
      const name = hash('sha256', salt + bearer, 'base64');
      const held = memory.get(name);
      if (held === undefined || held.key.withdrawn)
        return verifyNew(bearer, name)
          .then((verified) => identityOf(verified, presented))
          .catch((error: unknown) => refused(error, presented));
      held.keys.refreshWhenStale();
      try {
        const identity = identityOf(held, presented);
        return identity instanceof Promise ? identity.catch((error: unknown) => refused(error, presented)) : identity;
      } catch (error) {
        return refused(error, presented);
      }
    },
    holds(sent: PresentedCredentials): boolean {
      const { bearer, tenant, certificate } = current(sent);
      if (bearer === undefined || !isJwt(bearer)) return false;
      const held = memory.get(hash('sha256', salt + bearer, 'base64'));
      if (held === undefined || held.key.withdrawn || !isPresentedByOwner(held, certificate)) return false;
      return options.holds?.(held.proven, tenant, certificate) ?? false;
    },
  };
}

/** That a token is refused which its issuer did sign. */
class SignedRefusal extends Refusal {
  declare readonly reason: SignedRefusalReason;
  readonly proven: ProvenClaims;

  constructor(reason: SignedRefusalReason, proven: ProvenClaims) {
    super(reason);
    this.proven = proven;
  }
}

function unknownToAll(): never {
  throw notAuthorized();
}

/** Whether a token counts beside the certificate of the connection that it came on. */
function isPresentedByOwner(token: VerifiedToken, certificate: PresentedCertificate | undefined): boolean {
  return token.certificate === undefined || token.certificate === certificate?.fingerprint;
}

/** The header of each is a JSON object, whose base64url begins so. */
function isJwt(bearer: string): boolean {
  return bearer.startsWith('eyJ');
}

async function verifySignature(
  token: string,
  key: IssuerKey,
  algorithm: Parameters<typeof importedKey>[1],
): Promise<void> {
  try {
    await compactVerify(token, await importedKey(key, algorithm), { algorithms: [algorithm] });
  } catch (error) {
    if (error instanceof errors.JOSEError || error instanceof TypeError || error instanceof DOMException)
      throw new Refusal('signature');
    throw error;
  }
}

const TOKEN_BYTES = 1000;

function bytesOf({ claims }: ProvenClaims): number {
  let characters = 0;
  for (const [name, values] of claims) for (const value of values) characters += name.length + value.length + 64;
  return TOKEN_BYTES + 2 * characters;
}
