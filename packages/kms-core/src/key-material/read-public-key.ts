import { createPublicKey, type KeyObject } from 'node:crypto';
import { demandPointForm } from './ec-key.ts';
import { readPublicKeyInfo } from './key-containers.ts';
import { keyTypeOf, type KeyType } from './key-type.ts';
import { demand, RefusedMaterial } from './refused-material.ts';
import { demandRsaPublicKey } from './rsa-key.ts';

/**
 * Reads a public key that comes from outside, as SubjectPublicKeyInfo in DER (SP 800-56A Rev. 3, section 5.6.2.3): a
 * point in an allowed form, on the curve and not at infinity; the exact length elsewhere; of RSA the ranges that can be
 * seen without the private half.
 *
 * @param accept refuses types that are not wanted
 * @throws RefusedMaterial
 */
export function readPublicKey(spki: Uint8Array, accept: (type: KeyType) => void): KeyObject {
  const info = readPublicKeyInfo(spki);
  const type = keyTypeOf(info.algorithm);
  accept(type);
  if (type.kind === 'rsa') demandRsaPublicKey(info.publicKey);
  else if (type.kind === 'ec') demandPointForm(info.publicKey, type.curve);
  else
    demand(
      info.publicKey.length === type.encoding.publicBytes,
      `the public key does not have the ${type.encoding.publicBytes} octets of its algorithm`,
    );
  const key = load(spki, type);
  // As with private keys: what OpenSSL writes for the parameters of RSASSA-PSS is everything that it understood of them.
  if (type.kind === 'rsa')
    demand(
      key.export({ format: 'der', type: 'spki' }).equals(spki),
      'the parameters of the key are not in DER (RFC 4055)',
    );
  return key;
}

function load(spki: Uint8Array, type: KeyType): KeyObject {
  try {
    return createPublicKey({
      key: Buffer.from(spki.buffer, spki.byteOffset, spki.byteLength),
      format: 'der',
      type: 'spki',
    });
  } catch {
    throw new RefusedMaterial(
      type.kind === 'ec'
        ? 'the point is not on the curve (SP 800-56A, 5.6.2.3.3)'
        : 'it is not a public key of its type',
    );
  }
}
