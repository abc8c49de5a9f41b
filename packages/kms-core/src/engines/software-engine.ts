import { createHmac, diffieHellman, type KeyObject, timingSafeEqual } from 'node:crypto';
import type { Algorithm } from '../algorithms/registry.ts';
import { badRequest, KmsError } from '../errors/kms-error.ts';
import { readPublicKey } from '../key-material/read-public-key.ts';
import { RefusedMaterial } from '../key-material/refused-material.ts';
import type { KeyEngine } from './engine.ts';
import { demandKeyOf } from './key-of-algorithm.ts';
import { type Kem, mlKem, xWing } from './kem.ts';
import { kemMessageEngine, legacyCbcEngine, randomNonceEngine, rsaMessageEngine } from './message-engines.ts';
import { xaesEngine } from './xaes-256-gcm.ts';
import { signatureEngine } from './signature-engine.ts';
import type { LoadedMaterial } from './software-material.ts';

/** The engine of a version whose material is in this process. */
export function softwareEngine(algorithm: Algorithm, material: LoadedMaterial): KeyEngine {
  const { key } = material;
  switch (algorithm.family) {
    case 'aead':
      return aeadEngine(algorithm, key);
    case 'legacy-cipher':
      return legacyCbcEngine(key);
    case 'mac':
      return macEngine(algorithm, key);
    case 'eddsa':
    case 'ecdsa':
    case 'ml-dsa':
    case 'slh-dsa':
      return signatureEngine(algorithm, key, publicOf(material));
    case 'rsa':
      return { ...signatureEngine(algorithm, key, publicOf(material)), ...rsaMessageEngine(key, publicOf(material)) };
    case 'ml-kem':
      return kemEngine(mlKem(key, publicOf(material)));
    case 'hybrid-kem':
      return hybridEngine(key);
    case 'key-agreement':
      return agreementEngine(algorithm, key);
  }
}

function publicOf(material: LoadedMaterial): KeyObject {
  if (material.publicKey === null)
    throw new KmsError('INTERNAL_ERROR', 'A key pair was loaded without its public key.');
  return material.publicKey;
}

function aeadEngine(algorithm: Algorithm, key: KeyObject): KeyEngine {
  switch (algorithm.suite) {
    case 2:
      return randomNonceEngine('aes-128-gcm', key);
    case 3:
      return randomNonceEngine('chacha20-poly1305', key);
    default:
      return xaesEngine(key);
  }
}

function macEngine(algorithm: Algorithm, key: KeyObject): KeyEngine {
  const digest = algorithm.digest ?? 'sha256';
  const mac = (data: Uint8Array) => createHmac(digest, key).update(data).digest();
  return {
    mac,
    verifyMac: (data, tag) => {
      const expected = mac(data);
      return tag.length === expected.length && timingSafeEqual(tag, expected);
    },
  };
}

function kemEngine(kem: Kem): KeyEngine {
  return {
    ...kemMessageEngine(kem),
    encapsulate: () => kem.encapsulate(),
    decapsulate: (ciphertext) => kem.decapsulate(ciphertext),
  };
}

function hybridEngine(key: KeyObject): KeyEngine {
  const seed = key.export();
  try {
    return kemEngine(xWing(seed));
  } finally {
    seed.fill(0);
  }
}

function agreementEngine(algorithm: Algorithm, key: KeyObject): KeyEngine {
  return {
    agree: (peerPublicKey) => agreeWith(key, peerOf(algorithm, peerPublicKey)),
  };
}

function peerOf(algorithm: Algorithm, spki: Uint8Array): KeyObject {
  try {
    return readPublicKey(spki, (type) => demandKeyOf(algorithm, type));
  } catch (error) {
    if (error instanceof RefusedMaterial) throw badRequest('peerPublicKey', error.message);
    throw error;
  }
}

function agreeWith(privateKey: KeyObject, publicKey: KeyObject): Buffer {
  try {
    return diffieHellman({ privateKey, publicKey });
  } catch {
    // The curves of NIST have no such points. RFC 7748, section 6.1: OpenSSL refuses the secret that everybody knows.
    throw badRequest(
      'peerPublicKey',
      'the shared secret would be zero: the key is a point of small order (RFC 7748, 6.1)',
    );
  }
}
