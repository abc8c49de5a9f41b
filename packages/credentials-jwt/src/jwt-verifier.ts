import { hash, randomBytes } from 'node:crypto';
import { type CredentialVerifier, type Identity, KmsError, type PresentedCredentials } from '@qnsp/kms-core';
import type { ProvenClaims } from '@qnsp/kms-core/internal';
import { type MaybePromise, type MemoryCache, notAuthorized } from '@qnsp/kms-core/ports';
import { compactVerify, errors } from 'jose';
import { importedKey, type IssuerKey, IssuerKeys } from './issuer-keys.ts';
import { proveClaims } from './prove-claims.ts';
import { readToken } from './read-token.ts';
import { Refusal, type RefusalReason, type SignedRefusalReason } from './refusal.ts';
import type { TrustedIssuer } from './trusted-issuers.ts';

/** A token whose signature was right, for as long as it is remembered. */
export interface VerifiedToken {
  readonly proven: ProvenClaims;
  /** What it was signed with. */
  readonly key: IssuerKey;
  readonly keys: IssuerKeys;
}

/** What JWTs are verified against, and what becomes of those that pass. */
export interface JwtVerifierOptions {
  readonly issuers: readonly TrustedIssuer[];
  /** Remembers verified tokens, under a salted hash of them. */
  readonly memory: MemoryCache<VerifiedToken>;
  /** Whom the claims of a token let its bearer be, for the tenant that the call names; `resolveIdentity` of the core. */
  readonly resolve: (proven: ProvenClaims, tenant: string | undefined) => MaybePromise<Identity>;
  /**
   * Refuses what the issuer has signed and is not for this service or this time; `refuseProven` of the core, which says whose it is.
   * Default: as what nobody signed.
   */
  readonly refuse?: (
    proven: ProvenClaims,
    refusedFor: SignedRefusalReason,
    tenant: string | undefined,
  ) => MaybePromise<never>;
  /** Whether `resolve` would answer from memory; default: it would not. */
  readonly holds?: (proven: ProvenClaims, tenant: string | undefined) => boolean;
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
 * withdraws the key, or there is no room for it: then it needs no public-key operation, and no promise.
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
 *   resolve: (proven, tenant) => resolveIdentity(kms.parts, proven, tenant),
 *   refuse: (proven, refusedFor, tenant) => refuseProven(kms.parts, proven, refusedFor, tenant),
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
    const { proven, refusedFor } = proveClaims(claims, issuer, name, clock());
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
    const verified = { proven, key, keys };
    memory.set(name, verified, bytesOf(proven));
    return verified;
  };

  const refused = (error: unknown, tenant: string | undefined): MaybePromise<never> => {
    if (error instanceof Refusal) onRefused(error.reason);
    if (error instanceof SignedRefusal) return refuse(error.proven, error.reason, tenant);
    if (error instanceof Refusal) return unknownToAll();
    if (KmsError.is(error) && error.code === 'UNAUTHORIZED') onRefused('not-bound');
    throw error;
  };

  const identityOf = ({ proven }: VerifiedToken, tenant: string | undefined): MaybePromise<Identity> => {
    if (proven.expiresAt <= clock()) {
      memory.delete(proven.name);
      throw new SignedRefusal('expired', proven);
    }
    return resolve(proven, tenant);
  };

  return {
    verify({ bearer, tenant }: PresentedCredentials): MaybePromise<Identity | undefined> {
      if (bearer === undefined || !isJwt(bearer)) return undefined;
      const name = hash('sha256', salt + bearer, 'base64');
      const held = memory.get(name);
      if (held === undefined || held.key.withdrawn)
        return verifyNew(bearer, name)
          .then((verified) => identityOf(verified, tenant))
          .catch((error: unknown) => refused(error, tenant));
      held.keys.refreshWhenStale();
      try {
        const identity = identityOf(held, tenant);
        return identity instanceof Promise ? identity.catch((error: unknown) => refused(error, tenant)) : identity;
      } catch (error) {
        return refused(error, tenant);
      }
    },
    holds({ bearer, tenant }: PresentedCredentials): boolean {
      if (bearer === undefined || !isJwt(bearer)) return false;
      const held = memory.get(hash('sha256', salt + bearer, 'base64'));
      return held !== undefined && !held.key.withdrawn && (options.holds?.(held.proven, tenant) ?? false);
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
