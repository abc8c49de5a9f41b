import { KmsClientError } from '../errors/kms-client-error.ts';
import { concatenate } from './context-digest.ts';

/** What precedes the encrypted data. docs/file-format.md describes the layout. */
export interface EnvelopeHeader {
  /** The key of the service that opens the data key. */
  readonly keyId: string;
  readonly contextDigest: Uint8Array;
  readonly wrappedKey: Uint8Array;
}

/** "QNSPENV" and the version of the format. */
const MAGIC = Uint8Array.of(0x51, 0x4e, 0x53, 0x50, 0x45, 0x4e, 0x56);
const VERSION = 1;
/** AES256_GCM_HKDF_1MB of Tink. */
const SUITE = 1;
const KEY_ID_AT = 9;
const DIGEST_AT = 25;
const LENGTH_AT = 57;
/** How many bytes come before the wrapped key; with them the length of the header is known. */
export const FIXED_BYTES = 59;
/** The service's own limit is 68 KiB; the largest wrapped key that it makes is below 2 KiB. */
const MAX_WRAPPED_BYTES = 16_384;

export function encodeHeader({ keyId, contextDigest, wrappedKey }: EnvelopeHeader): Uint8Array<ArrayBuffer> {
  if (wrappedKey.length === 0 || wrappedKey.length > MAX_WRAPPED_BYTES)
    throw new KmsClientError('UNEXPECTED_ANSWER', `The wrapped data key has ${wrappedKey.length} bytes.`);
  const length = Uint8Array.of(wrappedKey.length >> 8, wrappedKey.length & 0xff);
  return concatenate([MAGIC, Uint8Array.of(VERSION, SUITE), uuidBytes(keyId), contextDigest, length, wrappedKey]);
}

/**
 * The length of a header that begins with these {@link FIXED_BYTES} bytes.
 *
 * @throws KmsClientError `ENVELOPE_INVALID` for a different beginning, `ENVELOPE_UNSUPPORTED` for another version.
 */
export function headerLength(start: Uint8Array): number {
  if (start.length < FIXED_BYTES || MAGIC.some((byte, at) => byte !== start[at]))
    throw new KmsClientError(
      'ENVELOPE_INVALID',
      'This data was not encrypted by this client: it has a different beginning.',
    );
  if (start[7] !== VERSION || start[8] !== SUITE)
    throw new KmsClientError(
      'ENVELOPE_UNSUPPORTED',
      `The data is in version ${start[7]}, suite ${start[8]} of the format, which this client does not support. Use a newer client.`,
    );
  const wrappedBytes = ((start[LENGTH_AT] ?? 0) << 8) | (start[LENGTH_AT + 1] ?? 0);
  if (wrappedBytes === 0 || wrappedBytes > MAX_WRAPPED_BYTES)
    throw new KmsClientError(
      'ENVELOPE_INVALID',
      'The header of the data is damaged: the length of its key is impossible.',
    );
  return FIXED_BYTES + wrappedBytes;
}

/** Reads a whole header. */
export function decodeHeader(header: Uint8Array): EnvelopeHeader {
  return {
    keyId: uuidText(header.subarray(KEY_ID_AT, DIGEST_AT)),
    contextDigest: header.subarray(DIGEST_AT, LENGTH_AT),
    wrappedKey: header.slice(FIXED_BYTES),
  };
}

function uuidBytes(uuid: string): Uint8Array {
  const digits = uuid.replaceAll('-', '');
  return Uint8Array.from({ length: 16 }, (_, at) => Number.parseInt(digits.slice(at * 2, at * 2 + 2), 16));
}

function uuidText(bytes: Uint8Array): string {
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
