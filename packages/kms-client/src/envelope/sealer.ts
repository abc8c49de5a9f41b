import { contextDigest, concatenate, type EnvelopeContext } from './context-digest.ts';
import type { DataKeySource } from './data-keys.ts';
import { encodeHeader } from './envelope-header.ts';
import {
  AES256_GCM_HKDF_1MB,
  type MakeSegmentCipher,
  newStreamHeader,
  openBytes,
  type SegmentPieces,
  streamKey,
} from './streaming-aead.ts';

/** What to encrypt under. */
export interface EncryptOptions {
  /** The key of the service that wraps the data key: a symmetric key, or a KEM key. */
  readonly keyId: string;
  /** The context of the data: decrypting requires the same. Not secret. */
  readonly context?: EnvelopeContext | undefined;
  /** Aborts the work, even while the data key is being requested. The result is then rejected with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Encrypts one stream, segment by segment. */
export interface Sealer {
  /** What precedes the first segment. */
  readonly header: Uint8Array;
  /** The pieces of the next segment, which must be full unless it is the last. */
  seal(plaintext: Uint8Array<ArrayBuffer>, isLast: boolean): Promise<SegmentPieces>;
}

/** How much plaintext a full segment holds. */
export function plaintextBytes(index: number): number {
  return openBytes(AES256_GCM_HKDF_1MB, index);
}

export async function startSealing(
  dataKeys: DataKeySource,
  { keyId, context, signal }: EncryptOptions,
  makeCipher: MakeSegmentCipher,
): Promise<Sealer> {
  const digest = await contextDigest(context);
  const key = await dataKeys.forSealing(keyId, digest, { signal });
  const header = encodeHeader({ keyId: key.keyId, contextDigest: digest, wrappedKey: key.wrappedKey });
  const streamHeader = newStreamHeader(AES256_GCM_HKDF_1MB);
  const associatedData = await digestOf(header);
  const stream = await streamKey(AES256_GCM_HKDF_1MB, key.dataKey, streamHeader, associatedData, makeCipher);
  let index = 0;
  return {
    header: concatenate([header, streamHeader]),
    async seal(plaintext, isLast) {
      signal?.throwIfAborted();
      const pieces = await stream.cipher.seal(stream.nonce(index, isLast), plaintext);
      index += 1;
      key.used(plaintext.length);
      return pieces;
    },
  };
}

/**
 * The associated data of a stream: not the header itself, since some implementations of HKDF take no more than 1,024
 * bytes of info.
 */
export async function digestOf(header: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', header));
}
