import { requireKnown } from '../errors/kms-client-error.ts';
import { concatenate } from './context-digest.ts';
import { cachedDataKeys, type DataKeyCacheOptions } from './data-key-cache.ts';
import { type DataKeyService, type DataKeySource, serviceDataKeys } from './data-keys.ts';
import { decryptStream } from './decrypt-stream.ts';
import { encryptStream } from './encrypt-stream.ts';
import type { DecryptOptions } from './opener.ts';
import type { EncryptOptions } from './sealer.ts';
import type { MakeSegmentCipher } from './streaming-aead.ts';
import { webSegmentCipher } from './web-segment-cipher.ts';

/** How an envelope gets its data keys. */
export interface EnvelopeOptions {
  /** Keeps data keys in memory for a while; if absent, every stream has its own. */
  readonly cache?: DataKeyCacheOptions | undefined;
}

/** Encrypts data of any size under data keys of the service. docs/file-format.md describes what comes out. */
export interface Envelope {
  /** Encrypts a stream. It works on segments of 1 MiB and reads no faster than its reader. */
  encryptStream(options: EncryptOptions): TransformStream<Uint8Array, Uint8Array>;
  /**
   * Decrypts a stream. What comes out is authentic, but only at its end is it known that nothing is missing: a
   * truncated stream ends with an error, after its complete segments. Use the output only then.
   */
  decryptStream(options?: DecryptOptions): TransformStream<Uint8Array, Uint8Array>;
  /** Encrypts data that fits into memory. */
  encrypt(plaintext: Uint8Array, options: EncryptOptions): Promise<Uint8Array<ArrayBuffer>>;
  /** Decrypts data that fits into memory. */
  decrypt(data: Uint8Array, options?: DecryptOptions): Promise<Uint8Array<ArrayBuffer>>;
}

/**
 * Creates an envelope for a client. It throws {@link KmsClientError}s: those of the service, and `ENVELOPE_INVALID` (no
 * data of this format), `ENVELOPE_UNSUPPORTED` (of a newer format), `ENVELOPE_CONTEXT_MISMATCH`,
 * `ENVELOPE_KEY_MISMATCH`, `ENVELOPE_TRUNCATED` and `ENVELOPE_MODIFIED`.
 *
 * @example
 * import { createKmsClient } from '@qnsp/kms-client';
 * import { createEnvelope } from '@qnsp/kms-client/envelope';
 * const kms = createKmsClient({ baseUrl, token });
 * const { keyId } = await kms.createKey({ name: 'uploads' });
 * const envelope = createEnvelope(kms);
 * const context = { file: 'a' };
 * const plain = new Blob(['a large upload']).stream();
 * const sealed = plain.pipeThrough(envelope.encryptStream({ keyId, context }));
 * const opened = sealed.pipeThrough(envelope.decryptStream({ context }));
 * console.log(await new Response(opened).text()); // a large upload
 */
export function createEnvelope(kms: DataKeyService, options: EnvelopeOptions = {}): Envelope {
  return envelopeOf(dataKeysOf(kms, options), webSegmentCipher);
}

export function dataKeysOf(kms: DataKeyService, options: EnvelopeOptions): DataKeySource {
  requireKnown(options, ['cache'], 'An envelope');
  const dataKeys = serviceDataKeys(kms);
  return options.cache === undefined ? dataKeys : cachedDataKeys(dataKeys, options.cache);
}

export function envelopeOf(dataKeys: DataKeySource, makeCipher: MakeSegmentCipher): Envelope {
  const encrypting = (options: EncryptOptions) => {
    requireKnown(options, ['keyId', 'context', 'signal'], 'Encryption');
    return encryptStream(dataKeys, options, makeCipher);
  };
  const decrypting = (options: DecryptOptions = {}) => {
    requireKnown(options, ['keyId', 'context', 'signal'], 'Decryption');
    return decryptStream(dataKeys, options, makeCipher);
  };
  return {
    encryptStream: encrypting,
    decryptStream: decrypting,
    encrypt: async (plaintext, options) => through(plaintext, encrypting(options)),
    decrypt: async (data, options) => through(data, decrypting(options)),
  };
}

async function through(
  data: Uint8Array,
  transform: TransformStream<Uint8Array, Uint8Array>,
): Promise<Uint8Array<ArrayBuffer>> {
  const source = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(data);
      controller.close();
    },
  });
  const pieces: Uint8Array[] = [];
  const reader = source.pipeThrough(transform).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return concatenate(pieces);
    pieces.push(value);
  }
}
