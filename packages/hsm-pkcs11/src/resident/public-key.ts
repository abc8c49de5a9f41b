import { createPublicKey } from 'node:crypto';
import { type Algorithm, KmsError } from '@qnsp/kms-core';
import type { PublicAttributes } from '../protocol/messages.ts';

const COORDINATE_BYTES = { prime256v1: 32, secp384r1: 48 } as const;
const CURVE_NAMES = { prime256v1: 'P-256', secp384r1: 'P-384' } as const;
const ED25519_BYTES = 32;

/** SubjectPublicKeyInfo in DER of what a token says about a public key. OpenSSL checks that it is one. */
export function subjectPublicKeyInfo(algorithm: Algorithm, attributes: PublicAttributes): Buffer {
  return createPublicKey({ key: jwkOf(algorithm, attributes), format: 'jwk' }).export({ format: 'der', type: 'spki' });
}

function jwkOf(algorithm: Algorithm, attributes: PublicAttributes): Record<string, string> {
  const { form } = algorithm;
  if (form.kind === 'rsa' && attributes.modulus !== null && attributes.publicExponent !== null)
    return { kty: 'RSA', n: base64url(attributes.modulus), e: base64url(attributes.publicExponent) };
  if (form.kind === 'ec' && attributes.ecPoint !== null) {
    const size = COORDINATE_BYTES[form.namedCurve];
    const point = rawPoint(attributes.ecPoint, 1 + 2 * size);
    // SEC 1, section 2.3.3: 04 begins an uncompressed point.
    if (point[0] !== 4) throw unreadable();
    return {
      kty: 'EC',
      crv: CURVE_NAMES[form.namedCurve],
      x: base64url(point.subarray(1, 1 + size)),
      y: base64url(point.subarray(1 + size)),
    };
  }
  if (form.kind === 'node-key' && form.keyType === 'ed25519' && attributes.ecPoint !== null)
    return { kty: 'OKP', crv: 'Ed25519', x: base64url(rawPoint(attributes.ecPoint, ED25519_BYTES)) };
  throw unreadable();
}

/** CKA_EC_POINT is an OCTET STRING around the point, but some tokens leave the wrapping away. */
function rawPoint(value: Uint8Array, size: number): Uint8Array {
  if (value.length === size) return value;
  if (value.length === size + 2 && value[0] === 4 && value[1] === size) return value.subarray(2);
  throw unreadable();
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url');
}

function unreadable(): KmsError {
  return new KmsError(
    'INTERNAL_ERROR',
    'The HSM described the public half of a new key in a way that is not understood.',
  );
}
