import { type Cipheriv, createCipheriv, type KeyObject } from 'node:crypto';
import { NO_CONTEXT } from '../envelope/associated-data.ts';
import { decryptFailed, HEADER_BYTES } from '../envelope/header.ts';
import { KmsError } from '../errors/kms-error.ts';
import { fillNonce, openAead, sealAead, TAG_BYTES } from './aead.ts';
import type { MessagesEngine } from './engine.ts';

const XAES_NONCE_BYTES = 24;
const BLOCK = 16;
const MESSAGE_KEY_BYTES = 2 * BLOCK;
/** Where the nonce of AES-256-GCM begins in that of XAES. */
const MESSAGE_NONCE_OFFSET = 12;

/**
 * XAES-256-GCM as C2SP specifies it: a 192-bit nonce, of which the first half derives a key for the message by
 * the CMAC-based KDF in counter mode of SP 800-108r1, and the second half is the nonce of AES-256-GCM under that key.
 *
 * The two CMAC inputs are one block each, so the KDF is one AES-ECB call over both after the subkey K1 of SP 800-38B,
 * section 6.1, was computed once per key. The keys of several messages are one such call over the blocks of all of them.
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
    const sealed = this.#begin(prefix, plaintext.length);
    const messageKey = this.#deriveKeys([sealed], prefix.length);
    try {
      return sealUnder(messageKey, sealed, prefix.length, aad, plaintext);
    } finally {
      messageKey.fill(0);
    }
  }

  /** Encrypts each of several as `seal` does. */
  sealAll(prefix: Uint8Array, messages: readonly Plain[]): Buffer[] {
    const begun = messages.map(({ plaintext }) => this.#begin(prefix, plaintext.length));
    const messageKeys = this.#deriveKeys(begun, prefix.length);
    try {
      for (const [index, { aad, plaintext }] of messages.entries()) {
        const sealed = begun[index];
        if (sealed !== undefined) sealUnder(keyAt(messageKeys, index), sealed, prefix.length, aad, plaintext);
      }
      return begun;
    } finally {
      messageKeys.fill(0);
    }
  }

  /** Opens `nonce(24) ‖ body ‖ tag(16)` from `at` on. Throws `DECRYPT_FAILED` unless everything is authentic. */
  open(sealed: Uint8Array, aad: readonly Uint8Array[], at = 0): Buffer {
    if (sealed.length < at + XAES_NONCE_BYTES + TAG_BYTES) throw decryptFailed();
    const messageKey = this.#deriveKeys([sealed], at);
    try {
      return openUnder(messageKey, sealed, aad, at);
    } finally {
      messageKey.fill(0);
    }
  }

  /** Opens each of several as `open` does, and answers what that throws for one that is not authentic. */
  openAll(messages: readonly Sealed[], at = 0): (Buffer | KmsError)[] {
    const messageKeys = this.#deriveKeys(
      messages.map(({ sealed }) => sealed),
      at,
    );
    try {
      return messages.map(({ sealed, aad }, index) => openedOrWhyNot(keyAt(messageKeys, index), sealed, aad, at));
    } finally {
      messageKeys.fill(0);
    }
  }

  /** `prefix ‖ nonce(24)`, and room for the rest. Made in one piece: on this way every view and every copy of a few bytes counts. */
  #begin(prefix: Uint8Array, plaintextBytes: number): Buffer {
    const sealed = Buffer.allocUnsafe(prefix.length + XAES_NONCE_BYTES + plaintextBytes + TAG_BYTES);
    sealed.set(prefix);
    this.#fillNonce(sealed, prefix.length, XAES_NONCE_BYTES);
    return sealed;
  }

  /**
   * The keys of messages, one after the other, which the caller wipes.
   *
   * @param at where in each message its nonce begins
   */
  #deriveKeys(messages: readonly Uint8Array[], at: number): Buffer {
    const blocks = Buffer.allocUnsafe(messages.length * MESSAGE_KEY_BYTES);
    let first = 0;
    for (const message of messages) {
      blocks.set(this.#labelled, first);
      for (let i = 0; i < MESSAGE_NONCE_OFFSET; i += 1) {
        const byte = message[at + i] ?? 0;
        const both = first + 4 + i;
        blocks[both] = (blocks[both] ?? 0) ^ byte;
        blocks[both + BLOCK] = (blocks[both + BLOCK] ?? 0) ^ byte;
      }
      first += MESSAGE_KEY_BYTES;
    }
    return this.#ecb.update(blocks);
  }
}

/** What is sealed, and what is authenticated with it. */
interface Plain {
  readonly plaintext: Uint8Array;
  readonly aad: readonly Uint8Array[];
}

/** What is opened, and what was authenticated with it. */
interface Sealed {
  readonly sealed: Uint8Array;
  readonly aad: readonly Uint8Array[];
}

function keyAt(messageKeys: Buffer, index: number): Buffer {
  return messageKeys.subarray(index * MESSAGE_KEY_BYTES, (index + 1) * MESSAGE_KEY_BYTES);
}

/** Writes body and tag behind the nonce, which begins at `at`. */
function sealUnder(
  messageKey: Uint8Array,
  sealed: Buffer,
  at: number,
  aad: readonly Uint8Array[],
  plaintext: Uint8Array,
): Buffer {
  const bodyAt = at + XAES_NONCE_BYTES;
  const nonce = sealed.subarray(at + MESSAGE_NONCE_OFFSET, bodyAt);
  const [body, tag] = sealAead('aes-256-gcm', messageKey, nonce, aad, plaintext);
  sealed.set(body, bodyAt);
  sealed.set(tag, bodyAt + plaintext.length);
  return sealed;
}

function openUnder(messageKey: Uint8Array, sealed: Uint8Array, aad: readonly Uint8Array[], at: number): Buffer {
  const bodyAt = at + XAES_NONCE_BYTES;
  const nonce = sealed.subarray(at + MESSAGE_NONCE_OFFSET, bodyAt);
  return openAead('aes-256-gcm', messageKey, nonce, sealed, aad, bodyAt);
}

function openedOrWhyNot(
  messageKey: Uint8Array,
  sealed: Uint8Array,
  aad: readonly Uint8Array[],
  at: number,
): Buffer | KmsError {
  try {
    return openUnder(messageKey, sealed, aad, at);
  } catch (error) {
    if (KmsError.is(error) && error.code === 'DECRYPT_FAILED') return error;
    throw error;
  }
}

/** Suite 1: XAES-256-GCM under the key itself. */
export function xaesEngine(key: KeyObject): MessagesEngine {
  const aead = new Xaes256Gcm(key);
  const headed = headedBy();
  return {
    seal: (header, context, plaintext) => aead.seal(header, headed(header, context), plaintext),
    sealAll: (header, messages) =>
      aead.sealAll(
        header,
        messages.map(({ plaintext, context }) => ({ plaintext, aad: headed(header, context) })),
      ),
    open: (ciphertext, context) => aead.open(ciphertext, headed(ciphertext, context), HEADER_BYTES),
    openAll: (messages) =>
      aead.openAll(
        messages.map(({ ciphertext, context }) => ({ sealed: ciphertext, aad: headed(ciphertext, context) })),
        HEADER_BYTES,
      ),
  };
}

/**
 * Joins the header that some bytes begin with and a context to associated data. A version has one header and nearly every message has no
 * context, so that join is kept; it is used only for a header of the same bytes, which are what is authenticated.
 */
function headedBy(): (message: Uint8Array, context: Uint8Array) => readonly Uint8Array[] {
  let kept: readonly [Buffer] = [Buffer.alloc(0)];
  return (message, context) => {
    if (context !== NO_CONTEXT) return [message.subarray(0, HEADER_BYTES), context];
    const [joined] = kept;
    let at = 0;
    while (at < HEADER_BYTES && joined[at] === message[at]) at += 1;
    if (at < HEADER_BYTES) kept = [Buffer.concat([message.subarray(0, HEADER_BYTES), context])];
    return kept;
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
