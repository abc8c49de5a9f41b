import { KmsClientError } from '../errors/kms-client-error.ts';
import { concatenate } from './context-digest.ts';

/**
 * The streaming AEAD of Tink, "AES-GCM-HKDF Streaming"
 * (https://developers.google.com/tink/streaming-aead/aes_gcm_hkdf_streaming), which Hoang and Shen prove in "Security
 * of Streaming Encryption in Google's Tink Library" (CCS 2020). A random salt gives every stream its own key through
 * HKDF; the nonce of a segment holds its number and whether it is the last.
 */
export interface StreamParameters {
  readonly hash: 'SHA-256' | 'SHA-1';
  readonly keyBytes: 16 | 32;
  /** A whole encrypted segment; the first one is shorter by the header of the stream, so that the others are aligned. */
  readonly segmentBytes: number;
}

/** Tink's template AES256_GCM_HKDF_1MB. */
export const AES256_GCM_HKDF_1MB: StreamParameters = { hash: 'SHA-256', keyBytes: 32, segmentBytes: 2 ** 20 };

const NONCE_PREFIX_BYTES = 7;
export const TAG_BYTES = 16;
const MAX_SEGMENTS = 2 ** 32;

/** Seals and opens single segments under one key. */
export interface SegmentCipher {
  /** The encrypted segment, in pieces. */
  seal(nonce: Uint8Array<ArrayBuffer>, plaintext: Uint8Array<ArrayBuffer>): SegmentPieces | Promise<SegmentPieces>;
  /** The plaintext, or `undefined` when the segment is not authentic. */
  open(
    nonce: Uint8Array<ArrayBuffer>,
    segment: Uint8Array<ArrayBuffer>,
  ): Uint8Array | undefined | Promise<Uint8Array | undefined>;
}

export type SegmentPieces = readonly Uint8Array[];

/** Makes the cipher of a key of AES-GCM; the caller wipes the bytes afterwards. */
export type MakeSegmentCipher = (key: Uint8Array<ArrayBuffer>) => SegmentCipher | Promise<SegmentCipher>;

/** How long the header of a stream is: its own length in one byte, salt, nonce prefix. */
export function streamHeaderBytes({ keyBytes }: StreamParameters): number {
  return 1 + keyBytes + NONCE_PREFIX_BYTES;
}

/** How much ciphertext the segment with this number holds when it is full. */
export function sealedBytes(parameters: StreamParameters, index: number): number {
  return parameters.segmentBytes - (index === 0 ? streamHeaderBytes(parameters) : 0);
}

/** How much plaintext the segment with this number holds when it is full. */
export function openBytes(parameters: StreamParameters, index: number): number {
  return sealedBytes(parameters, index) - TAG_BYTES;
}

/** The cipher and the nonces of one stream. */
export interface StreamKey {
  readonly cipher: SegmentCipher;
  nonce(index: number, isLast: boolean): Uint8Array<ArrayBuffer>;
}

/** A header for a new stream. */
export function newStreamHeader(parameters: StreamParameters): Uint8Array<ArrayBuffer> {
  const header = crypto.getRandomValues(new Uint8Array(streamHeaderBytes(parameters)));
  header[0] = header.length;
  return header;
}

/**
 * Derives the key of a stream from its header.
 *
 * @param dataKey - for HKDF, with the usage `deriveBits`
 * @throws KmsClientError `ENVELOPE_MODIFIED` for a header that names another length.
 */
export async function streamKey(
  parameters: StreamParameters,
  dataKey: CryptoKey,
  header: Uint8Array<ArrayBuffer>,
  associatedData: Uint8Array<ArrayBuffer>,
  makeCipher: MakeSegmentCipher,
): Promise<StreamKey> {
  if (header.length !== streamHeaderBytes(parameters) || header[0] !== header.length) throw modified(0);
  const salt = header.slice(1, 1 + parameters.keyBytes);
  const prefix = header.slice(1 + parameters.keyBytes);
  const derivation = { name: 'HKDF', hash: parameters.hash, salt, info: associatedData };
  const key = new Uint8Array(await crypto.subtle.deriveBits(derivation, dataKey, parameters.keyBytes * 8));
  try {
    return { cipher: await makeCipher(key), nonce: (index, isLast) => segmentNonce(prefix, index, isLast) };
  } finally {
    key.fill(0);
  }
}

/** Nonce prefix, number of the segment in four bytes, and 1 for the last one. */
function segmentNonce(prefix: Uint8Array, index: number, isLast: boolean): Uint8Array<ArrayBuffer> {
  if (index >= MAX_SEGMENTS)
    throw new KmsClientError(
      'INVALID_ARGUMENT',
      'The data is larger than 4 PiB, which is more than one stream can hold.',
    );
  const tail = new DataView(new ArrayBuffer(5));
  tail.setUint32(0, index);
  tail.setUint8(4, isLast ? 1 : 0);
  return concatenate([prefix, new Uint8Array(tail.buffer)]);
}

/**
 * Opens a segment.
 *
 * @throws KmsClientError `ENVELOPE_TRUNCATED` if the data ends after a segment that is not its last,
 * `ENVELOPE_MODIFIED` for everything else that is wrong.
 */
export async function openSegment(
  stream: StreamKey,
  segment: Uint8Array<ArrayBuffer>,
  index: number,
  isLast: boolean,
): Promise<Uint8Array> {
  // A last segment without plaintext is that of an empty stream only: every plaintext has exactly one form.
  if (segment.length < TAG_BYTES || (segment.length === TAG_BYTES && index > 0)) throw modified(index);
  const plaintext = await stream.cipher.open(stream.nonce(index, isLast), segment);
  if (plaintext !== undefined) return plaintext;
  if (isLast && (await stream.cipher.open(stream.nonce(index, false), segment)) !== undefined) throw truncated();
  throw modified(index);
}

export function truncated(): KmsClientError {
  return new KmsClientError(
    'ENVELOPE_TRUNCATED',
    'The data ends too early: a part of it is missing. Fetch it again as a whole.',
  );
}

function modified(index: number): KmsClientError {
  return new KmsClientError(
    'ENVELOPE_MODIFIED',
    `The data was changed or cut off after it was encrypted (in segment ${index}). Fetch an undamaged copy.`,
  );
}
