import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto';
import { type SegmentCipher, TAG_BYTES } from '../envelope/streaming-aead.ts';

const TAG = { authTagLength: TAG_BYTES } as const;

/** AES-256-GCM of node:crypto: without the detour through the thread pool that each WebCrypto call takes. */
export function nodeSegmentCipher(keyBytes: Uint8Array): SegmentCipher {
  const key = createSecretKey(keyBytes);
  return {
    seal(nonce, plaintext) {
      const cipher = createCipheriv('aes-256-gcm', key, nonce, TAG);
      const body = cipher.update(plaintext);
      cipher.final();
      return [body, cipher.getAuthTag()];
    },
    open(nonce, segment) {
      const decipher = createDecipheriv('aes-256-gcm', key, nonce, TAG);
      decipher.setAuthTag(segment.subarray(segment.length - TAG_BYTES));
      const plaintext = decipher.update(segment.subarray(0, segment.length - TAG_BYTES));
      return isAuthentic(() => decipher.final()) ? plaintext : undefined;
    },
  };
}

/**
 * Node throws a plain error without a code when the tag does not match; nothing else can go wrong in `final` of GCM.
 */
function isAuthentic(final: () => void): boolean {
  try {
    final();
    return true;
  } catch {
    return false;
  }
}
