import { createPublicKey } from 'node:crypto';
import { type Algorithm, KmsError } from '@qnsp/kms-core';
import type { PublicAttributes } from '../protocol/messages.ts';
import type { Quirks } from '../protocol/quirks.ts';
import { CURVES } from './curves.ts';
import { pointIn } from './ec-point.ts';

const ED25519_BYTES = 32;

/** SubjectPublicKeyInfo in DER of what a token says about a public key. OpenSSL checks that it is one. */
export function subjectPublicKeyInfo(algorithm: Algorithm, attributes: PublicAttributes, quirks: Quirks): Buffer {
  return createPublicKey({ key: jwkOf(algorithm, attributes, quirks), format: 'jwk' }).export({
    format: 'der',
    type: 'spki',
  });
}

function jwkOf(algorithm: Algorithm, attributes: PublicAttributes, quirks: Quirks): Record<string, string> {
  const { form } = algorithm;
  if (form.kind === 'rsa' && attributes.modulus !== null && attributes.publicExponent !== null)
    return { kty: 'RSA', n: base64url(attributes.modulus), e: base64url(attributes.publicExponent) };
  if (form.kind === 'ec' && attributes.ecPoint !== null) {
    const { coordinateBytes: size, jwkName } = CURVES[form.namedCurve];
    const point = pointIn(attributes.ecPoint, 1 + 2 * size, quirks);
    // SEC 1, section 2.3.3: 04 begins an uncompressed point.
    if (point?.[0] !== 4) throw unreadable();
    return {
      kty: 'EC',
      crv: jwkName,
      x: base64url(point.subarray(1, 1 + size)),
      y: base64url(point.subarray(1 + size)),
    };
  }
  if (form.kind === 'node-key' && form.keyType === 'ed25519' && attributes.ecPoint !== null) {
    const point = pointIn(attributes.ecPoint, ED25519_BYTES, quirks);
    if (point !== undefined) return { kty: 'OKP', crv: 'Ed25519', x: base64url(point) };
  }
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
