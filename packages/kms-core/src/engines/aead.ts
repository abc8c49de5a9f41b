import { createCipheriv, createDecipheriv, type KeyObject, randomFillSync } from 'node:crypto';
import { decryptFailed } from '../envelope/header.ts';

export const TAG_BYTES = 16;
export const NONCE_BYTES = 12;

export type AeadCipher = 'aes-128-gcm' | 'aes-256-gcm' | 'chacha20-poly1305';

const TAG_LENGTH = { authTagLength: TAG_BYTES };

/**
 * One AEAD encryption with a 96-bit nonce and a 128-bit tag.
 *
 * @param aad the parts of the associated data, which are authenticated as if they were one
 */
export function sealAead(
  cipher: AeadCipher,
  key: KeyObject | Uint8Array,
  nonce: Uint8Array,
  aad: readonly Uint8Array[],
  plaintext: Uint8Array,
): [body: Buffer, tag: Buffer] {
  // The type of Node's overload for ChaCha20-Poly1305 is the same at run time as that for GCM.
  const encryption = createCipheriv(cipher as 'aes-256-gcm', key, nonce, TAG_LENGTH);
  for (const part of aad) encryption.setAAD(part);
  const body = encryption.update(plaintext);
  encryption.final();
  return [body, encryption.getAuthTag()];
}

/**
 * One AEAD decryption of `body ‖ tag(16)`, which begin at `at`. Node hands out plaintext before the tag was checked, so nothing leaves here
 * before `final()`.
 */
export function openAead(
  cipher: AeadCipher,
  key: KeyObject | Uint8Array,
  nonce: Uint8Array,
  sealed: Uint8Array,
  aad: readonly Uint8Array[],
  at = 0,
): Buffer {
  const tagAt = sealed.length - TAG_BYTES;
  if (nonce.length !== NONCE_BYTES || tagAt < at) throw decryptFailed();
  const decryption = createDecipheriv(cipher as 'aes-256-gcm', key, nonce, TAG_LENGTH);
  for (const part of aad) decryption.setAAD(part);
  decryption.setAuthTag(sealed.subarray(tagAt));
  const plaintext = decryption.update(sealed.subarray(at, tagAt));
  try {
    decryption.final();
  } catch (cause) {
    plaintext.fill(0);
    throw decryptFailed(cause);
  }
  return plaintext;
}

const POOL_BYTES = 8192;
const pool = Buffer.alloc(POOL_BYTES);
let used = POOL_BYTES;

/**
 * Fresh random bytes for a nonce. Drawn from the operating system's generator in blocks, which costs a tenth of a draw
 * for each; for nonces only, which are public, because the pool lives in ordinary memory.
 */
export function randomNonce(bytes: number): Buffer {
  const nonce = Buffer.allocUnsafe(bytes);
  fillNonce(nonce, 0, bytes);
  return nonce;
}

/** Writes fresh random bytes for a nonce to a place in a buffer. */
export function fillNonce(target: Uint8Array, at: number, bytes: number): void {
  if (used + bytes > POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  pool.copy(target, at, used, used + bytes);
  used += bytes;
}
