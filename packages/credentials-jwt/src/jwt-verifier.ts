import { hash, randomBytes } from 'node:crypto';
import { type CredentialVerifier, type Identity, KmsError, type PresentedCredentials } from '@qnsp/kms-core';
import type { ProvenClaims } from '@qnsp/kms-core/internal';
import { type MaybePromise, type MemoryCache, notAuthorized } from '@qnsp/kms-core/ports';
import { compactVerify, errors } from 'jose';
import { importedKey, type IssuerKey, IssuerKeys } from './issuer-keys.ts';
import { proveClaims } from './prove-claims.ts';
import { readToken } from './read-token.ts';
import { Refusal, type RefusalReason } from './refusal.ts';
import type { TrustedIssuer } from './trusted-issuers.ts';

/** A token whose signature was right, for as long as it is remembered. */
export interface VerifiedToken {
  readonly proven: ProvenClaims;
  /** What it was signed with. */
  readonly key: IssuerKey;
  readonly keys: IssuerKeys;
}

export interface JwtVerifierOptions {
  readonly issuers: readonly TrustedIssuer[];
  /** Remembers verified tokens, under a salted hash of them. */
  readonly memory: MemoryCache<VerifiedToken>;
  /** Whom the claims of a token let its bearer be, for the tenant that the call names; `resolveIdentity` of the core. */
  readonly resolve: (proven: ProvenClaims, tenant: string | undefined) => MaybePromise<Identity>;
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
 * const verifier = jwtVerifier({
 *   issuers: readTrustedIssuers(process.env.KMS_JWT_ISSUERS_JSON),
 *   memory: memoryCache({ maxEntries: 10_000, maxBytes: 32 * 1024 * 1024, ttlSeconds: 86_400 }),
 *   resolve: (proven, tenant) => resolveIdentity(kms, proven, tenant),
 *   clock: kms.clock,
 * });
 */
export function jwtVerifier(options: JwtVerifierOptions): CredentialVerifier {
  const { memory, resolve, clock, onRefused = () => undefined, onIssuerFailure = () => undefined } = options;
  const { monotonic = () => performance.now() } = options;
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
    // What costs nothing first: one that expired is not worth a signature.
    const proven = proveClaims(claims, issuer, name, clock());
    const key = await keys.find(kid, algorithm);
    await verifySignature(token, key, algorithm);
    const verified = { proven, key, keys };
    memory.set(name, verified, bytesOf(proven));
    return verified;
  };

  const refused = (error: unknown): never => {
    if (error instanceof Refusal) {
      onRefused(error.reason);
      throw notAuthorized();
    }
    if (KmsError.is(error) && error.code === 'UNAUTHORIZED') onRefused('not-bound');
    throw error;
  };

  const identityOf = ({ proven }: VerifiedToken, tenant: string | undefined): MaybePromise<Identity> => {
    if (proven.expiresAt <= clock()) {
      memory.delete(proven.name);
      throw new Refusal('expired');
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
          .catch(refused);
      held.keys.refreshWhenStale();
      try {
        const identity = identityOf(held, tenant);
        return identity instanceof Promise ? identity.catch(refused) : identity;
      } catch (error) {
        return refused(error);
      }
    },
  };
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
