import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { EC_OID, RSA_OID } from '../algorithms/key-encodings.ts';
import { derIdentifier, derElement } from './der-writer.ts';
import { TAG } from './der-reader.ts';
import { demandSamePoint, readEcPrivateKey, writeEcPrivateKey } from './ec-key.ts';
import { readPrivateKeyInfo, readPublicKeyInfo, writeAlgorithm, writePrivateKeyInfo } from './key-containers.ts';
import { keyTypeOf, type KeyType } from './key-type.ts';
import { demandOctetKey } from './octet-key.ts';
import { demand, RefusedMaterial } from './refused-material.ts';
import { bitLength, readRsaPrivateKey, type RsaNumbers, validateRsa, writeRsaPrivateKey } from './rsa-key.ts';

/** A private key from outside that satisfies its standard. */
export interface ReadPrivateKey {
  readonly key: KeyObject;
  /** Computed from the private half, whatever the container says. */
  readonly publicKey: KeyObject;
  /** For RSA: its primes are yet to be shown to be primes. */
  readonly rsa: RsaNumbers | null;
}

/** The largest modulus that is looked at: what its numbers cost grows with it. */
const MAX_MODULUS_BITS = 16_384;

/**
 * Reads a private key that comes from outside, as PKCS #8 in DER: the container by {@link readPrivateKeyInfo}, the key by
 * the rules of its type, and a public half in the container against the one that is computed. For RSA the primality of
 * the factors is left to do.
 *
 * @param accept refuses types that are not wanted, before anything of the key is looked at
 * @throws RefusedMaterial
 */
export function readPrivateKey(
  pkcs8: Uint8Array,
  accept: (type: KeyType, rsa: { readonly modulusBits: number } | null) => void,
): ReadPrivateKey {
  const info = readPrivateKeyInfo(pkcs8);
  const type = keyTypeOf(info.algorithm);
  const { container, rsa } = validContainer(type, info.privateKey, accept);
  try {
    const key = load(container);
    const publicKey = createPublicKey(key);
    if (info.publicKey !== null) demandSamePublicKey(info.publicKey, publicKey, type);
    return { key, publicKey, rsa };
  } finally {
    container.fill(0);
  }
}

/** The same key alone in a container that this code wrote: OpenSSL gets to see nothing that was not looked at here. */
function validContainer(type: KeyType, privateKey: Buffer, accept: Parameters<typeof readPrivateKey>[1]) {
  switch (type.kind) {
    case 'rsa': {
      const numbers = readRsaPrivateKey(privateKey);
      const modulusBits = bitLength(numbers.n);
      demand(modulusBits <= MAX_MODULUS_BITS, `the modulus has more than ${MAX_MODULUS_BITS} bits`);
      accept(type, { modulusBits });
      const rsa = validateRsa(numbers);
      return { container: contained(writeAlgorithm(RSA_OID, derElement(TAG.null)), writeRsaPrivateKey(rsa)), rsa };
    }
    case 'ec': {
      accept(type, null);
      const numbers = readEcPrivateKey(privateKey, type.curve);
      const algorithm = writeAlgorithm(EC_OID, derIdentifier(type.curve.oid));
      return { container: contained(algorithm, writeEcPrivateKey(numbers)), rsa: null };
    }
    case 'octets':
      accept(type, null);
      demandOctetKey(privateKey, type.encoding);
      return { container: writePrivateKeyInfo(writeAlgorithm(type.encoding.oid), privateKey), rsa: null };
  }
}

function contained(algorithm: Buffer, privateKey: Buffer): Buffer {
  try {
    return writePrivateKeyInfo(algorithm, privateKey);
  } finally {
    privateKey.fill(0);
  }
}

function load(container: Buffer): KeyObject {
  try {
    return createPrivateKey({ key: container, format: 'der', type: 'pkcs8' });
  } catch {
    // OpenSSL's error was made from a secret, and says nothing to people.
    throw new RefusedMaterial('the parts of the private key do not belong together');
  }
}

function demandSamePublicKey(written: Buffer, publicKey: KeyObject, type: KeyType): void {
  const computed = readPublicKeyInfo(publicKey.export({ format: 'der', type: 'spki' })).publicKey;
  if (type.kind === 'ec') demandSamePoint(written, computed, type.curve);
  else demand(computed.equals(written), 'the public half is not that of the private key');
}
