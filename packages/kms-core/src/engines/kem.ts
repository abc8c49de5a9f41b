import {
  createHash,
  createPrivateKey,
  createPublicKey,
  decapsulate,
  diffieHellman,
  encapsulate,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';
import { decryptFailed } from '../envelope/header.ts';
import type { Encapsulation } from './engine.ts';

/** A key encapsulation mechanism with one key pair. */
export interface Kem {
  readonly ciphertextBytes: number;
  encapsulate(): Encapsulation;
  /** A tampered ciphertext gives another secret, not an error; a wrong length throws `DECRYPT_FAILED`. */
  decapsulate(ciphertext: Uint8Array): Uint8Array;
}

/** FIPS 203, table 3. */
const ML_KEM_CIPHERTEXT_BYTES: Readonly<Record<string, number>> = {
  'ml-kem-512': 768,
  'ml-kem-768': 1088,
  'ml-kem-1024': 1568,
};

/** ML-KEM (FIPS 203) with a key pair. */
export function mlKem(privateKey: KeyObject, publicKey: KeyObject): Kem {
  const ciphertextBytes = ML_KEM_CIPHERTEXT_BYTES[publicKey.asymmetricKeyType ?? ''];
  if (ciphertextBytes === undefined) throw new TypeError('not an ML-KEM key');
  return {
    ciphertextBytes,
    encapsulate: () => {
      const { sharedKey, ciphertext } = encapsulate(publicKey);
      return { sharedSecret: sharedKey, ciphertext };
    },
    decapsulate: (ciphertext) => {
      if (ciphertext.length !== ciphertextBytes) throw decryptFailed();
      return decapsulate(privateKey, ciphertext);
    },
  };
}

const ML_KEM_768_CIPHERTEXT = 1088;
const ML_KEM_768_PUBLIC_KEY = 1184;
/** `\./` over `/^\`, section 5.3 of the draft. */
const X_WING_LABEL = Buffer.from('5c2e2f2f5e5c', 'hex');
export const X_WING_SEED_BYTES = 32;
export const X_WING_PUBLIC_KEY_BYTES = ML_KEM_768_PUBLIC_KEY + 32;

/** The public key of an X-Wing seed: ML-KEM-768 encapsulation key ‖ X25519 public key. */
export function xWingPublicKey(seed: Uint8Array): Buffer {
  const { mlKemPublic, x25519Public } = expandXWing(seed);
  return Buffer.concat([rawPublic(mlKemPublic), rawPublic(x25519Public)]);
}

/**
 * X-Wing (draft-connolly-cfrg-xwing-kem): ML-KEM-768 and X25519 whose secrets are combined by
 * SHA3-256(ss_M ‖ ss_X ‖ ct_X ‖ pk_X ‖ label). Secure while either of the two is.
 */
export function xWing(seed: Uint8Array): Kem {
  const { mlKemPrivate, mlKemPublic, x25519Private, x25519Public } = expandXWing(seed);
  const publicX = rawPublic(x25519Public);
  const combine = (secretM: Uint8Array, secretX: Uint8Array, ciphertextX: Uint8Array) => {
    const sharedSecret = createHash('sha3-256')
      .update(secretM)
      .update(secretX)
      .update(ciphertextX)
      .update(publicX)
      .update(X_WING_LABEL)
      .digest();
    secretM.fill(0);
    secretX.fill(0);
    return sharedSecret;
  };
  return {
    ciphertextBytes: ML_KEM_768_CIPHERTEXT + 32,
    encapsulate: () => {
      const ephemeral = generateKeyPairSync('x25519');
      const ciphertextX = rawPublic(ephemeral.publicKey);
      const secretX = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: x25519Public });
      const { sharedKey, ciphertext } = encapsulate(mlKemPublic);
      return {
        sharedSecret: combine(sharedKey, secretX, ciphertextX),
        ciphertext: Buffer.concat([ciphertext, ciphertextX]),
      };
    },
    decapsulate: (ciphertext) => {
      if (ciphertext.length !== ML_KEM_768_CIPHERTEXT + 32) throw decryptFailed();
      const ciphertextX = ciphertext.subarray(ML_KEM_768_CIPHERTEXT);
      const secretM = decapsulate(mlKemPrivate, ciphertext.subarray(0, ML_KEM_768_CIPHERTEXT));
      return combine(secretM, agreeX25519(x25519Private, ciphertextX), ciphertextX);
    },
  };
}

function agreeX25519(privateKey: KeyObject, peer: Uint8Array): Buffer {
  try {
    const publicKey = createPublicKey({ key: Buffer.from(peer), format: 'raw-public', asymmetricKeyType: 'x25519' });
    return diffieHellman({ privateKey, publicKey });
  } catch (cause) {
    // OpenSSL refuses a point of small order, whose shared secret would be zero.
    throw decryptFailed(cause);
  }
}

function expandXWing(seed: Uint8Array) {
  if (seed.length !== X_WING_SEED_BYTES) throw new RangeError('an X-Wing seed has 32 bytes');
  const expanded = createHash('shake256', { outputLength: 96 }).update(seed).digest();
  try {
    const mlKemPrivate = createPrivateKey({
      key: expanded.subarray(0, 64),
      format: 'raw-seed',
      asymmetricKeyType: 'ml-kem-768',
    });
    const x25519Private = createPrivateKey({
      key: expanded.subarray(64),
      format: 'raw-private',
      asymmetricKeyType: 'x25519',
    });
    return {
      mlKemPrivate,
      mlKemPublic: createPublicKey(mlKemPrivate),
      x25519Private,
      x25519Public: createPublicKey(x25519Private),
    };
  } finally {
    expanded.fill(0);
  }
}

function rawPublic(key: KeyObject): Buffer {
  return key.export({ format: 'raw-public' });
}
