import { createHmac } from 'node:crypto';

/**
 * HKDF-SHA3-256 (RFC 5869) with an empty salt and an output of one block, 32 bytes, which the caller wipes:
 * PRK = HMAC(zeros, input), output = HMAC(PRK, info ‖ 0x01). Composed from Node's HMAC because Node's own HKDF takes no
 * `info` above 1,024 bytes, which a KEM ciphertext is; equal to it below (a test compares).
 */
export function hkdfOneBlock(input: Uint8Array, info: Uint8Array): Buffer {
  const prk = createHmac('sha3-256', Buffer.alloc(32)).update(input).digest();
  try {
    return createHmac('sha3-256', prk).update(info).update(Buffer.of(1)).digest();
  } finally {
    prk.fill(0);
  }
}
