import {
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  generateKeyPair,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import type { Algorithm, KeyForm } from '../algorithms/registry.ts';
import { xWingPublicKey, X_WING_SEED_BYTES } from './kem.ts';
import { xWingSpki } from './x-wing-spki.ts';

/**
 * The material of a software key version in the form in which it is sealed: the bytes of a secret key, a private
 * key as PKCS #8 in DER, or the seed of X-Wing. Whoever holds it wipes it.
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

/**
 * Makes fresh material for an algorithm.
 *
 * @param random where the bytes of secret keys come from, so that a hardware generator can be mixed in
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
      const { privateKey, publicKey } = await generateKeys(form);
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
