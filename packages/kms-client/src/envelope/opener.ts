import { KmsClientError } from '../errors/kms-client-error.ts';
import { contextDigest, type EnvelopeContext } from './context-digest.ts';
import type { DataKeySource } from './data-keys.ts';
import { decodeHeader, FIXED_BYTES, headerLength } from './envelope-header.ts';
import { digestOf } from './sealer.ts';
import {
  AES256_GCM_HKDF_1MB,
  type MakeSegmentCipher,
  openSegment,
  sealedBytes,
  streamHeaderBytes,
  streamKey,
  truncated,
} from './streaming-aead.ts';

/** What the data must be. */
export interface DecryptOptions {
  /** What it was encrypted with. */
  readonly context?: EnvelopeContext | undefined;
  /** The key that it must be under; default: any that the caller may use. */
  readonly keyId?: string | undefined;
  /** Aborts the work, even while the data key is being requested. The result is then rejected with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Decrypts one stream, segment by segment. */
export interface Opener {
  /** The plaintext of the next segment, which must be full unless it is the last. */
  open(segment: Uint8Array<ArrayBuffer>, isLast: boolean): Promise<Uint8Array>;
}

/** How much of the stream its next segment is when it is full. */
export function segmentBytes(index: number): number {
  return sealedBytes(AES256_GCM_HKDF_1MB, index);
}

export { FIXED_BYTES };

/** How much comes before the first segment, by the first {@link FIXED_BYTES} bytes. */
export function prefixBytes(start: Uint8Array): number {
  return headerLength(start) + streamHeaderBytes(AES256_GCM_HKDF_1MB);
}

/**
 * Reads what comes before the first segment and gets the key that it names.
 *
 * @throws KmsClientError `ENVELOPE_CONTEXT_MISMATCH`, `ENVELOPE_KEY_MISMATCH`, or what the service says about the key.
 */
export async function startOpening(
  dataKeys: DataKeySource,
  prefix: Uint8Array<ArrayBuffer>,
  options: DecryptOptions,
  makeCipher: MakeSegmentCipher,
): Promise<Opener> {
  const header = prefix.slice(0, headerLength(prefix));
  const { keyId, contextDigest: bound, wrappedKey } = decodeHeader(header);
  const digest = await contextDigest(options.context);
  if (digest.some((byte, at) => byte !== bound[at]))
    throw new KmsClientError(
      'ENVELOPE_CONTEXT_MISMATCH',
      'The data was encrypted with another context. Give the same names and values as when it was encrypted.',
    );
  if (options.keyId !== undefined && options.keyId.toLowerCase() !== keyId)
    throw new KmsClientError(
      'ENVELOPE_KEY_MISMATCH',
      `The data is encrypted under the key ${keyId}, not the one that was asked for.`,
    );
  const dataKey = await dataKeys.forOpening(keyId, digest, wrappedKey, { signal: options.signal });
  const associatedData = await digestOf(header);
  const stream = await streamKey(AES256_GCM_HKDF_1MB, dataKey, prefix.slice(header.length), associatedData, makeCipher);
  let index = 0;
  return {
    async open(segment, isLast) {
      options.signal?.throwIfAborted();
      const plaintext = await openSegment(stream, segment, index, isLast);
      index += 1;
      return plaintext;
    },
  };
}

/** Refuses data that ends before its first segment. */
export function requirePrefix(prefix: Uint8Array, wanted: number): void {
  if (prefix.length >= wanted) return;
  // Says what it is, if it is not ours.
  if (prefix.length >= FIXED_BYTES) headerLength(prefix);
  else if (!isStartOfHeader(prefix)) headerLength(prefix);
  throw truncated();
}

function isStartOfHeader(start: Uint8Array): boolean {
  const text = 'QNSPENV';
  return start.length > 0 && [...start.subarray(0, text.length)].every((byte, at) => byte === text.charCodeAt(at));
}
