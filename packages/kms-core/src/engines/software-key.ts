import { randomBytes } from 'node:crypto';
import type { Algorithm } from '../algorithms/registry.ts';
import { resolveAlgorithm } from '../algorithms/resolve.ts';
import { type EncryptionContext, encodeContext } from '../envelope/associated-data.ts';
import { decryptFailed, makeHeader, parseHeader } from '../envelope/header.ts';
import { badRequest, type KmsError } from '../errors/kms-error.ts';
import { SYSTEM_TENANT } from '../model/identifiers.ts';
import type { Encapsulation, KeyEngine, SignatureOptions } from './engine.ts';
import { acceptImported } from './imported-material.ts';
import { pairwiseTest } from './pairwise-test.ts';
import { checkSignatureOptions } from './signature-engine.ts';
import { softwareEngine } from './software-engine.ts';
import { type GeneratedMaterial, generateMaterial, loadMaterial } from './software-material.ts';

/**
 * A key in the memory of this process, without a store, a lifecycle or a policy: its owner sees to all of that. What its
 * algorithm cannot do is refused as `BAD_REQUEST`.
 */
export class SoftwareKey {
  readonly algorithm: Algorithm;
  /** The public key as SubjectPublicKeyInfo in DER (RFC 5280, section 4.1); `null` for a secret key. */
  readonly publicKey: Uint8Array | null;
  readonly #engine: KeyEngine;
  readonly #secret: Uint8Array;

  constructor(algorithm: Algorithm, { secret, publicKey }: GeneratedMaterial) {
    this.algorithm = algorithm;
    this.publicKey = publicKey;
    this.#engine = softwareEngine(algorithm, loadMaterial(algorithm, secret));
    this.#secret = secret;
  }

  /**
   * Encrypts to an envelope as the KMS makes it (`docs/cryptography.md`), whose header names no key.
   *
   * @param context authenticated with it; {@link decrypt} needs the same
   */
  async encrypt(plaintext: Uint8Array, context?: EncryptionContext): Promise<Uint8Array> {
    const { suite } = this.algorithm;
    if (suite === undefined) throw this.#cannot('encrypt');
    return this.#can('seal', 'encrypt')(makeHeader(suite, SYSTEM_TENANT, 1), encodeContext(context), plaintext);
  }

  /** Opens what {@link encrypt} made. Throws `DECRYPT_FAILED` and releases nothing otherwise. */
  async decrypt(ciphertext: Uint8Array, context?: EncryptionContext): Promise<Uint8Array> {
    const open = this.#can('open', 'decrypt');
    if (parseHeader(ciphertext).suite !== this.algorithm.suite) throw decryptFailed();
    return open(ciphertext, encodeContext(context));
  }

  /** Signs a message, which is hashed here. */
  async sign(data: Uint8Array, options: SignatureOptions = {}): Promise<Uint8Array> {
    checkSignatureOptions(this.algorithm, data, options);
    return this.#can('sign', 'sign')(data, options);
  }

  /** Tells whether a signature is one of this key's over the data. */
  async verify(data: Uint8Array, signature: Uint8Array, options: SignatureOptions = {}): Promise<boolean> {
    checkSignatureOptions(this.algorithm, data, options);
    return this.#can('verify', 'verify')(data, signature, options);
  }

  /** The MAC of the data. */
  async mac(data: Uint8Array): Promise<Uint8Array> {
    return this.#can('mac', 'mac')(data);
  }

  /** Whether it is the MAC of the data; compared in constant time. */
  async verifyMac(data: Uint8Array, mac: Uint8Array): Promise<boolean> {
    return this.#can('verifyMac', 'verify a MAC')(data, mac);
  }

  /** Makes a shared secret, and what the owner of the key needs to get it. */
  async encapsulate(): Promise<Encapsulation> {
    return this.#can('encapsulate', 'encapsulate')();
  }

  /** The shared secret of an encapsulation. */
  async decapsulate(ciphertext: Uint8Array): Promise<Uint8Array> {
    return this.#can('decapsulate', 'decapsulate')(ciphertext);
  }

  /**
   * A copy of the secret: the bytes of a symmetric key, the seed of X-Wing, PKCS#8 in DER (RFC 5958) of any other. The caller
   * wipes it. {@link loadSoftwareKey} takes it.
   */
  secret(): Uint8Array {
    return Uint8Array.from(this.#secret);
  }

  /** Wipes the secret that is held here for {@link secret}; what OpenSSL holds goes with the object. */
  wipe(): void {
    this.#secret.fill(0);
  }

  #can<K extends keyof KeyEngine>(method: K, what: string): NonNullable<KeyEngine[K]> {
    const found = this.#engine[method];
    if (found === undefined) throw this.#cannot(what);
    return found;
  }

  #cannot(what: string): KmsError {
    return badRequest('algorithm', `a key with the algorithm ${this.algorithm.id} cannot ${what}`);
  }
}

/**
 * Makes a key and tries it out (FIPS 140-3, pairwise consistency).
 *
 * @param algorithm in any spelling that {@link resolveAlgorithm} knows
 * @throws KmsError `BAD_REQUEST` for an unknown algorithm, and for one whose keys can only be imported.
 * @example
 * import { generateSoftwareKey } from '@qnsp/kms-core/engines';
 * const key = await generateSoftwareKey('ML-DSA-65');
 * const message = Buffer.from('I owe you nothing.');
 * const signature = await key.sign(message);
 * console.log(await key.verify(message, signature)); // true
 */
export async function generateSoftwareKey(algorithm: string | Algorithm): Promise<SoftwareKey> {
  const found = algorithmOf(algorithm);
  if (found.importOnly) throw badRequest('algorithm', `${found.id} keys can only be imported, to read existing data`);
  const material = await generateMaterial(found, randomBytes);
  await pairwiseTest(softwareEngine(found, loadMaterial(found, material.secret)));
  return new SoftwareKey(found, material);
}

/**
 * Takes in a key of another system, after it was checked as the import of a KMS checks it.
 *
 * @param material the bytes of a symmetric key, or PKCS#8 in DER; the caller wipes it
 * @throws KmsError `BAD_REQUEST` for material that is not a sound key of the algorithm.
 * @example
 * import { importSoftwareKey } from '@qnsp/kms-core/engines';
 * // RFC 4231, test case 1.
 * const key = await importSoftwareKey('HMAC-SHA-256', Buffer.alloc(20, 0x0b));
 * const mac = await key.mac(Buffer.from('Hi There'));
 * console.log(Buffer.from(mac).toString('hex').slice(0, 16)); // b0344c61d8db3853
 */
export async function importSoftwareKey(algorithm: string | Algorithm, material: Uint8Array): Promise<SoftwareKey> {
  const found = algorithmOf(algorithm);
  return new SoftwareKey(found, await acceptImported(found, material));
}

/**
 * Loads a key that {@link SoftwareKey.secret} gave out. It is trusted: what comes from elsewhere is for
 * {@link importSoftwareKey}.
 *
 * @param secret the caller wipes it
 * @example
 * import { generateSoftwareKey, loadSoftwareKey } from '@qnsp/kms-core/engines';
 * const made = await generateSoftwareKey('Ed25519');
 * const loaded = loadSoftwareKey('Ed25519', made.secret());
 * const message = Buffer.from('I owe you nothing.');
 * console.log(await made.verify(message, await loaded.sign(message))); // true
 */
export function loadSoftwareKey(algorithm: string | Algorithm, secret: Uint8Array): SoftwareKey {
  const found = algorithmOf(algorithm);
  const copy = Buffer.from(secret);
  const { publicKey } = loadMaterial(found, copy);
  return new SoftwareKey(found, {
    secret: copy,
    publicKey: publicKey?.export({ format: 'der', type: 'spki' }) ?? null,
  });
}

function algorithmOf(algorithm: string | Algorithm): Algorithm {
  return typeof algorithm === 'string' ? resolveAlgorithm(algorithm) : algorithm;
}
