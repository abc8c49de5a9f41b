import { type Cipheriv, createCipheriv, type KeyObject } from 'node:crypto';
import { decryptFailed, HEADER_BYTES } from '../envelope/header.ts';
import { fillNonce, openAead, sealAead, TAG_BYTES } from './aead.ts';
import type { MessageEngine } from './engine.ts';

const XAES_NONCE_BYTES = 24;
const BLOCK = 16;
/** Where the nonce of AES-256-GCM begins in that of XAES. */
const MESSAGE_NONCE_OFFSET = 12;

/**
 * XAES-256-GCM as C2SP specifies it: a 192-bit nonce, of which the first half derives a key for the message by
 * the CMAC-based KDF in counter mode of SP 800-108r1, and the second half is the nonce of AES-256-GCM under that key.
 *
 * The two CMAC inputs are one block each, so the KDF is one AES-ECB call over both after the subkey K1 of SP 800-38B,
 * section 6.1, was computed once per key.
 */
export class Xaes256Gcm {
  readonly #ecb: Cipheriv;
  readonly #labelled: Buffer;
  readonly #fillNonce: typeof fillNonce;

  /**
   * @param key a secret key of 32 bytes
   * @param nonces what writes the nonces, which must never be the same twice; another one than the default only for known answers
   */
  constructor(key: KeyObject, nonces = fillNonce) {
    this.#fillNonce = nonces;
    if (key.symmetricKeySize !== 32) throw new RangeError('XAES-256-GCM takes a key of 32 bytes');
    // ECB without padding has no state between blocks, so one cipher object serves all messages of the key.
    this.#ecb = createCipheriv('aes-256-ecb', key, null).setAutoPadding(false);
    this.#labelled = labelled(doubled(this.#ecb.update(Buffer.alloc(BLOCK))));
  }

  /** Encrypts under a fresh random nonce. Answers `prefix ‖ nonce(24) ‖ body ‖ tag(16)`. */
  seal(prefix: Uint8Array, aad: readonly Uint8Array[], plaintext: Uint8Array): Buffer {
    const nonceAt = prefix.length;
    const bodyAt = nonceAt + XAES_NONCE_BYTES;
    // Made in one piece: on this way every view and every copy of a few bytes counts.
    const sealed = Buffer.allocUnsafe(bodyAt + plaintext.length + TAG_BYTES);
    sealed.set(prefix);
    this.#fillNonce(sealed, nonceAt, XAES_NONCE_BYTES);
    const messageKey = this.#deriveKey(sealed, nonceAt);
    try {
      const nonce = sealed.subarray(nonceAt + MESSAGE_NONCE_OFFSET, bodyAt);
      const [body, tag] = sealAead('aes-256-gcm', messageKey, nonce, aad, plaintext);
      sealed.set(body, bodyAt);
      sealed.set(tag, bodyAt + plaintext.length);
      return sealed;
    } finally {
      messageKey.fill(0);
    }
  }

  /** Opens `nonce(24) ‖ body ‖ tag(16)` from `at` on. Throws `DECRYPT_FAILED` unless everything is authentic. */
  open(sealed: Uint8Array, aad: readonly Uint8Array[], at = 0): Buffer {
    const bodyAt = at + XAES_NONCE_BYTES;
    if (sealed.length < bodyAt + TAG_BYTES) throw decryptFailed();
    const messageKey = this.#deriveKey(sealed, at);
    try {
      const nonce = sealed.subarray(at + MESSAGE_NONCE_OFFSET, bodyAt);
      return openAead('aes-256-gcm', messageKey, nonce, sealed, aad, bodyAt);
    } finally {
      messageKey.fill(0);
    }
  }

  /** @param at where the nonce begins */
  #deriveKey(nonce: Uint8Array, at: number): Buffer {
    const blocks = Buffer.from(this.#labelled);
    for (let i = 0; i < MESSAGE_NONCE_OFFSET; i += 1) {
      const byte = nonce[at + i] ?? 0;
      blocks[i + 4] = (blocks[i + 4] ?? 0) ^ byte;
      blocks[i + BLOCK + 4] = (blocks[i + BLOCK + 4] ?? 0) ^ byte;
    }
    return this.#ecb.update(blocks);
  }
}

/** Suite 1: XAES-256-GCM under the key itself. */
export function xaesEngine(key: KeyObject): MessageEngine {
  const aead = new Xaes256Gcm(key);
  return {
    seal: (header, context, plaintext) => aead.seal(header, [header, context], plaintext),
    open: (ciphertext, context) => aead.open(ciphertext, [ciphertext.subarray(0, HEADER_BYTES), context], HEADER_BYTES),
  };
}

/** M1 = 0x0001 ‖ "X" ‖ 0x00 ‖ N[:12] and M2 = 0x0002 ‖ …, both XORed with K1: all of them but the nonce. */
function labelled(k1: Uint8Array): Buffer {
  const blocks = Buffer.concat([k1, k1]);
  for (const [index, offset] of [0, BLOCK].entries()) {
    blocks[offset + 1] = (blocks[offset + 1] ?? 0) ^ (index + 1);
    blocks[offset + 2] = (blocks[offset + 2] ?? 0) ^ 0x58;
  }
  return blocks;
}

/** Doubling in GF(2^128) with the polynomial of SP 800-38B, section 5.3, in constant time. */
function doubled(block: Uint8Array): Buffer {
  const out = Buffer.alloc(BLOCK);
  let carry = 0;
  for (let i = BLOCK - 1; i >= 0; i -= 1) {
    const byte = block[i] ?? 0;
    out[i] = ((byte << 1) | carry) & 0xff;
    carry = byte >> 7;
  }
  out[BLOCK - 1] = (out[BLOCK - 1] ?? 0) ^ (carry * 0x87);
  return out;
}
