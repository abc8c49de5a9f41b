import { randomFillSync } from 'node:crypto';

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
