import {
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  generateKeyPair,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import type { Algorithm, KeyForm, NodeKeyType } from '../algorithms/registry.ts';
import { xWingPublicKey, X_WING_SEED_BYTES } from './kem.ts';
import { xWingSpki } from './x-wing-spki.ts';

/**
 * The material of a software key version in the form in which it is sealed: the bytes of a secret key, a private key as
 * PKCS #8 in DER, or the seed of X-Wing. Its holder wipes it.
 */
export interface GeneratedMaterial {
  readonly secret: Uint8Array;
  /** SubjectPublicKeyInfo in DER, for key pairs. */
  readonly publicKey: Uint8Array | null;
}

/** The keys of a version, ready for use. */
export interface LoadedMaterial {
  /** The secret key, or the private key of a pair. */
  readonly key: KeyObject;
  /** The public key of a pair. */
  readonly publicKey: KeyObject | null;
}

/** How many random bytes the material of an algorithm is made of; 0 where OpenSSL draws them itself. */
export function seedBytes({ form }: Algorithm): number {
  if (form.kind === 'secret') return form.bytes;
  return form.kind === 'x-wing' ? X_WING_SEED_BYTES : (seedOf(form)?.bytes ?? 0);
}

/**
 * Makes fresh material for an algorithm.
 *
 * @param random where the bytes of secret keys and the seeds of key pairs come from, so that a hardware generator can be
 *   mixed in; RSA and SLH-DSA keys and those on NIST curves come from OpenSSL's own generator
 */
export async function generateMaterial(
  algorithm: Algorithm,
  random: (bytes: number) => Uint8Array | Promise<Uint8Array> = randomBytes,
): Promise<GeneratedMaterial> {
  const { form } = algorithm;
  switch (form.kind) {
    case 'secret':
      return { secret: await random(form.bytes), publicKey: null };
    case 'x-wing': {
      const seed = await random(X_WING_SEED_BYTES);
      return { secret: seed, publicKey: xWingSpki(xWingPublicKey(seed)) };
    }
    default: {
      const seed = seedOf(form);
      const { privateKey, publicKey } = seed === null ? await generateKeys(form) : await grow(seed, random);
      return {
        secret: privateKey.export({ format: 'der', type: 'pkcs8' }),
        publicKey: publicKey.export({ format: 'der', type: 'spki' }),
      };
    }
  }
}

/** Takes material back into key objects. The caller wipes `secret` afterwards. */
export function loadMaterial(algorithm: Algorithm, secret: Uint8Array): LoadedMaterial {
  if (algorithm.form.kind === 'secret' || algorithm.form.kind === 'x-wing') {
    return { key: createSecretKey(secret), publicKey: null };
  }
  const key = createPrivateKey({
    key: Buffer.from(secret.buffer, secret.byteOffset, secret.byteLength),
    format: 'der',
    type: 'pkcs8',
  });
  return { key, publicKey: createPublicKey(key) };
}

interface Seed {
  readonly keyType: NodeKeyType;
  readonly format: 'raw-seed' | 'raw-private';
  readonly bytes: number;
}

/** The random bytes that a key pair is a function of; null where OpenSSL takes none. */
function seedOf(form: PairForm): Seed | null {
  if (form.kind !== 'node-key') return null;
  const { keyType } = form;
  // FIPS 203, algorithm 16: d and z. FIPS 204, algorithm 1: ξ. RFC 8032, section 5.1.5, and RFC 7748, section 5.
  if (keyType.startsWith('ml-kem-')) return { keyType, format: 'raw-seed', bytes: 64 };
  if (keyType.startsWith('ml-dsa-')) return { keyType, format: 'raw-seed', bytes: 32 };
  return keyType === 'ed25519' || keyType === 'x25519' ? { keyType, format: 'raw-private', bytes: 32 } : null;
}

async function grow(
  { keyType, format, bytes }: Seed,
  random: (bytes: number) => Uint8Array | Promise<Uint8Array>,
): Promise<{ privateKey: KeyObject; publicKey: KeyObject }> {
  const seed = await random(bytes);
  try {
    const key = Buffer.from(seed.buffer, seed.byteOffset, seed.byteLength);
    const privateKey = createPrivateKey({ key, format, asymmetricKeyType: keyType });
    return { privateKey, publicKey: createPublicKey(privateKey) };
  } finally {
    seed.fill(0);
  }
}

type PairForm = Exclude<KeyForm, { kind: 'secret' } | { kind: 'x-wing' }>;

function generateKeys(form: PairForm): Promise<{ privateKey: KeyObject; publicKey: KeyObject }> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, publicKey: KeyObject, privateKey: KeyObject) => {
      if (error === null) resolve({ publicKey, privateKey });
      else reject(error);
    };
    switch (form.kind) {
      case 'rsa':
        generateKeyPair('rsa', { modulusLength: form.modulusBits, publicExponent: 0x10001 }, done);
        break;
      case 'ec':
        generateKeyPair('ec', { namedCurve: form.namedCurve }, done);
        break;
      case 'node-key':
        // The overloads of @types/node name each key type alone; at run time they are one call.
        generateKeyPair(form.keyType as 'ed25519', {}, done);
    }
  });
}
