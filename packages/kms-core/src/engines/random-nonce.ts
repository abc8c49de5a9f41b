import { randomFillSync } from 'node:crypto';

const POOL_BYTES = 8192;
const pool = Buffer.alloc(POOL_BYTES);
let used = POOL_BYTES;

/**
 * Fresh random bytes for a nonce. Drawn from the operating system's generator in blocks, which costs a tenth of a draw
 * for each; for nonces only, which are public, because the pool lives in ordinary memory.
 */
export function randomNonce(bytes: number): Buffer {
  if (used + bytes > POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  const nonce = Buffer.from(pool.subarray(used, used + bytes));
  used += bytes;
  return nonce;
}
