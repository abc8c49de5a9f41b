import { X_WING_PUBLIC_KEY_BYTES } from './kem.ts';

/**
 * The DER of `SEQUENCE { SEQUENCE { OID 1.3.6.1.4.1.62253.25722 }, BIT STRING }` before the key itself
 * (draft-connolly-cfrg-xwing-kem, section 7): every length in it is fixed.
 */
const SPKI_PREFIX = Buffer.from('308204d4300d060b2b0601040183e62d81c87a038204c100', 'hex');

/** The SubjectPublicKeyInfo of an X-Wing public key. */
export function xWingSpki(publicKey: Uint8Array): Buffer {
  if (publicKey.length !== X_WING_PUBLIC_KEY_BYTES) throw new RangeError('an X-Wing public key has 1216 bytes');
  return Buffer.concat([SPKI_PREFIX, publicKey]);
}
