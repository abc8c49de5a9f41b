import { createCipheriv, createDecipheriv } from 'node:crypto';
import { decryptFailed } from '../envelope/header.ts';

/** The alternative initial value of RFC 5649, section 3; OpenSSL appends the length to it. */
const ALTERNATIVE_IV = Buffer.from('a65959a6', 'hex');

/** AES-256 key wrap with padding (RFC 5649, SP 800-38F KWP). */
export function wrapWithPadding(kek: Uint8Array, key: Uint8Array): Buffer {
  if (key.length === 0) throw new RangeError('an empty key cannot be wrapped');
  const cipher = createCipheriv('id-aes256-wrap-pad', kek, ALTERNATIVE_IV);
  return cipher.update(key);
}

/**
 * Opens what {@link wrapWithPadding} made. The length is checked here: OpenSSL takes an empty input and answers an
 * empty key.
 *
 * @throws KmsError `DECRYPT_FAILED`.
 */
export function unwrapWithPadding(kek: Uint8Array, wrapped: Uint8Array): Buffer {
  if (wrapped.length < 16 || wrapped.length % 8 !== 0) throw decryptFailed();
  try {
    const key = createDecipheriv('id-aes256-wrap-pad', kek, ALTERNATIVE_IV).update(wrapped);
    if (key.length === 0) throw decryptFailed();
    return key;
  } catch (cause) {
    throw decryptFailed(cause);
  }
}
