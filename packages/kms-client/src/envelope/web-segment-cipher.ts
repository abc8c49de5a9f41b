import type { SegmentCipher } from './streaming-aead.ts';

/** AES-GCM of WebCrypto, which every platform has. */
export async function webSegmentCipher(keyBytes: Uint8Array<ArrayBuffer>): Promise<SegmentCipher> {
  const key = await crypto.subtle.importKey('raw', keyBytes, 'AES-GCM', false, ['encrypt', 'decrypt']);
  return {
    async seal(iv, plaintext) {
      return [new Uint8Array(await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, key, plaintext))];
    },
    async open(iv, segment) {
      try {
        return new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, key, segment));
      } catch (error) {
        // WebCrypto's only answer to a tag that does not match.
        if (error instanceof DOMException && error.name === 'OperationError') return undefined;
        throw error;
      }
    },
  };
}
