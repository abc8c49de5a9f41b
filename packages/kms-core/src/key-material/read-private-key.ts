import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { demandSamePoint, readEcPrivateKey, writeEcPrivateKey } from './ec-key.ts';
import {
  type AlgorithmIdentifier,
  type PrivateKeyInfo,
  readPrivateKeyInfo,
  readPublicKeyInfo,
  writePrivateKeyInfo,
} from './key-containers.ts';
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

/** The largest modulus that is examined: the cost of its numbers grows with it. */
const MAX_MODULUS_BITS = 16_384;

/**
 * Reads a private key that comes from outside, as PKCS #8 in DER: the container by {@link readPrivateKeyInfo}, the key by
 * the rules of its type, and a public half in the container against the one that is computed. For RSA the primality of
 * the factors is left to do.
 *
 * @param accept refuses types that are not wanted, before any of the key is examined
 * @throws RefusedMaterial
 */
export function readPrivateKey(
  pkcs8: Uint8Array,
  accept: (type: KeyType, rsa: { readonly modulusBits: number } | null) => void,
): ReadPrivateKey {
  const info = readPrivateKeyInfo(pkcs8);
  const type = keyTypeOf(info.algorithm);
  const { container, rsa } = validContainer(type, info, accept);
  try {
    const key = load(container);
    if (type.kind === 'rsa') demandOwnParameters(info.algorithm, key);
    const publicKey = createPublicKey(key);
    if (info.publicKey !== null) demandSamePublicKey(info.publicKey, publicKey, type);
    return { key, publicKey, rsa };
  } finally {
    container.fill(0);
  }
}

/** The same key alone in a container that this code wrote: OpenSSL sees nothing that was not checked here. */
function validContainer(
  type: KeyType,
  { algorithm, privateKey }: PrivateKeyInfo,
  accept: Parameters<typeof readPrivateKey>[1],
) {
  switch (type.kind) {
    case 'rsa': {
      const numbers = readRsaPrivateKey(privateKey);
      const modulusBits = bitLength(numbers.n);
      demand(modulusBits <= MAX_MODULUS_BITS, `the modulus has more than ${MAX_MODULUS_BITS} bits`);
      accept(type, { modulusBits });
      const rsa = validateRsa(numbers);
      return { container: contained(algorithm.der, writeRsaPrivateKey(rsa)), rsa };
    }
    case 'ec': {
      accept(type, null);
      const numbers = readEcPrivateKey(privateKey, type.curve);
      return { container: contained(algorithm.der, writeEcPrivateKey(numbers)), rsa: null };
    }
    case 'octets':
      accept(type, null);
      demandOctetKey(privateKey, type.encoding);
      return { container: writePrivateKeyInfo(algorithm.der, privateKey), rsa: null };
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

/** OpenSSL reads the parameters of RSASSA-PSS; what it writes for them is DER, and everything that it understood. */
function demandOwnParameters({ der }: AlgorithmIdentifier, key: KeyObject): void {
  const written = key.export({ format: 'der', type: 'pkcs8' });
  try {
    demand(
      readPrivateKeyInfo(written).algorithm.der.equals(der),
      'the parameters of the key are not in DER (RFC 4055)',
    );
  } finally {
    written.fill(0);
  }
}

function demandSamePublicKey(written: Buffer, publicKey: KeyObject, type: KeyType): void {
  const computed = readPublicKeyInfo(publicKey.export({ format: 'der', type: 'spki' })).publicKey;
  if (type.kind === 'ec') demandSamePoint(written, computed, type.curve);
  else demand(computed.equals(written), 'the public half is not that of the private key');
}
