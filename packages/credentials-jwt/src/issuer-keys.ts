import { readFile } from 'node:fs/promises';
import { type CryptoKey, importJWK, type JWK } from 'jose';
import { type JwtAlgorithm, keyTypeOf } from './algorithms.ts';
import { fetchJson, isSafeUrl } from './fetch-json.ts';
import { Refusal } from './refusal.ts';
import { type JsonObject, parseStrictObject } from './strict-json.ts';
import type { TrustedIssuer } from './trusted-issuers.ts';

/** Unknown keys make the issuer be asked at most this often. */
const PAUSE_MS = 30_000;
/** After this time it is asked even if no key is unknown, so that one that it withdrew is noticed. */
const STALE_MS = 10 * 60_000;
/** For how long keys are used while the issuer does not answer. */
const KEPT_MS = 24 * 60 * 60_000;
const MOST_KEYS = 100;
const MOST_CHARACTERS = 512 * 1024;

/** A key of an issuer, for as long as the issuer has it. */
export interface IssuerKey {
  readonly jwk: JWK;
  /** The issuer has withdrawn it: what it has signed does not count any more. */
  withdrawn: boolean;
  readonly imported: Map<JwtAlgorithm, Promise<CryptoKey | Uint8Array>>;
}

/** The keys of one issuer, as it published them last. */
export class IssuerKeys {
  readonly #issuer: Pick<TrustedIssuer, 'issuer' | 'keys'>;
  readonly #monotonic: () => number;
  readonly #onFailure: (issuer: string, error: unknown) => void;
  #keys: readonly IssuerKey[] = [];
  /** When the keys came. */
  #loadedAt = Number.NEGATIVE_INFINITY;
  /** When the issuer was asked last. */
  #askedAt = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;
  #failed = false;

  /** @param onFailure hears when the issuer could not be asked */
  constructor(
    issuer: Pick<TrustedIssuer, 'issuer' | 'keys'>,
    onFailure: (issuer: string, error: unknown) => void,
    monotonic: () => number = () => performance.now(),
  ) {
    this.#issuer = issuer;
    this.#onFailure = onFailure;
    this.#monotonic = monotonic;
  }

  /**
   * The key that a token says it was signed with.
   *
   * @param kid its id, where the token names one; without it the issuer must have no more than one key that fits
   * @throws Refusal `unknown-key`, or `keys-unavailable` when the issuer has not answered for a day.
   */
  async find(kid: string | undefined, algorithm: JwtAlgorithm): Promise<IssuerKey> {
    if (this.#monotonic() - this.#loadedAt > STALE_MS) {
      const asked = this.#refresh();
      // Nobody waits again and again for an issuer that is down.
      if (!this.#failed) await asked;
    }
    const known = this.#choose(kid, algorithm);
    if (known !== undefined) return known;
    await this.#refresh();
    const late = this.#choose(kid, algorithm);
    if (late !== undefined) return late;
    throw new Refusal(this.#keys.length === 0 ? 'keys-unavailable' : 'unknown-key');
  }

  /** Has the issuer asked again some time after its keys came, for those who need no key because their token is remembered. */
  refreshWhenStale(): void {
    if (this.#monotonic() - this.#loadedAt > STALE_MS) void this.#refresh();
  }

  #choose(kid: string | undefined, algorithm: JwtAlgorithm): IssuerKey | undefined {
    if (this.#monotonic() - this.#loadedAt > KEPT_MS) this.#replace([]);
    const fitting = this.#keys.filter(({ jwk }) => fits(jwk, algorithm) && (kid === undefined || jwk.kid === kid));
    // Of several nobody knows which one it is.
    return fitting.length === 1 ? fitting[0] : undefined;
  }

  /** Asks the issuer, unless that was done a moment ago. Never rejects. */
  #refresh(): Promise<void> {
    if (this.#asking !== undefined) return this.#asking;
    if (this.#monotonic() - this.#askedAt < PAUSE_MS) return Promise.resolve();
    this.#askedAt = this.#monotonic();
    this.#asking = this.#load().then(
      () => {
        this.#asking = undefined;
        this.#failed = false;
      },
      (error: unknown) => {
        this.#asking = undefined;
        this.#failed = true;
        this.#onFailure(this.#issuer.issuer, error);
      },
    );
    return this.#asking;
  }

  async #load(): Promise<void> {
    const published = await publishedKeys(this.#issuer);
    this.#loadedAt = this.#monotonic();
    this.#replace(published);
  }

  /** Keys that are there still stay the same objects, so that what they have signed stays known. */
  #replace(published: readonly JWK[]): void {
    const texts = new Map(this.#keys.map((key) => [JSON.stringify(key.jwk), key]));
    const next = published.map((jwk): IssuerKey => {
      return texts.get(JSON.stringify(jwk)) ?? { jwk, withdrawn: false, imported: new Map() };
    });
    for (const key of this.#keys) key.withdrawn = !next.includes(key);
    this.#keys = next;
  }
}

/** The key, ready to verify with an algorithm. */
export function importedKey({ jwk, imported }: IssuerKey, algorithm: JwtAlgorithm): Promise<CryptoKey | Uint8Array> {
  const known = imported.get(algorithm);
  if (known !== undefined) return known;
  const { kty, crv, x, y, n, e } = jwk;
  // Only what makes it a public key: nothing else that stands there is listened to.
  const bare = Object.fromEntries(Object.entries({ kty, crv, x, y, n, e }).filter(([, value]) => value !== undefined));
  const importing = importJWK(bare, algorithm);
  imported.set(algorithm, importing);
  return importing;
}

/** Whether a key is for an algorithm, by its type and by all that it says of its use. */
function fits({ kty, crv, alg, use, key_ops: operations }: JWK, algorithm: JwtAlgorithm): boolean {
  const wanted = keyTypeOf(algorithm);
  return (
    kty === wanted.kty &&
    crv === wanted.crv &&
    (alg === undefined || alg === algorithm) &&
    (use === undefined || use === 'sig') &&
    (operations === undefined || operations.includes('verify'))
  );
}

/**
 * The public keys in the text of a JWK Set (RFC 7517); what is no public key is left out, as section 5 wants it.
 *
 * @throws Error for what is no such set.
 */
export function publicKeysIn(text: string): readonly JWK[] {
  const set = text.length > MOST_CHARACTERS ? undefined : parseStrictObject(text);
  if (set === undefined) throw new Error(`it is no JSON object of at most ${MOST_CHARACTERS} characters`);
  return publicKeysOf(set);
}

function publicKeysOf({ keys }: JsonObject): readonly JWK[] {
  if (!Array.isArray(keys) || keys.length > MOST_KEYS) throw new Error(`it is no set of at most ${MOST_KEYS} keys`);
  return keys.filter(isPublicKey);
}

function isPublicKey(key: unknown): key is JWK {
  if (typeof key !== 'object' || key === null) return false;
  const { kty, kid, d, k, key_ops: operations } = key as Readonly<Record<string, unknown>>;
  return (
    (kty === 'RSA' || kty === 'EC' || kty === 'OKP') &&
    (kid === undefined || typeof kid === 'string') &&
    (operations === undefined || Array.isArray(operations)) &&
    // A private key that somebody published is everybody's.
    d === undefined &&
    k === undefined
  );
}

async function publishedKeys({ issuer, keys }: Pick<TrustedIssuer, 'issuer' | 'keys'>): Promise<readonly JWK[]> {
  switch (keys.kind) {
    case 'file':
      return publicKeysIn(await readFile(keys.path, 'utf8'));
    case 'url':
      return publicKeysOf(await fetchJson(keys.url));
    case 'discovery': {
      const base = issuer.endsWith('/') ? issuer.slice(0, -1) : issuer;
      const { issuer: named, jwks_uri: address } = await fetchJson(new URL(`${base}/.well-known/openid-configuration`));
      // OpenID Connect Discovery 1.0, section 4.3: otherwise it speaks for another one.
      if (named !== issuer) throw new Error(`${issuer} describes another issuer`);
      if (typeof address !== 'string' || !isSafeUrl(address)) throw new Error(`${issuer} has no keys at an https URL`);
      return publicKeysOf(await fetchJson(new URL(address)));
    }
  }
}
