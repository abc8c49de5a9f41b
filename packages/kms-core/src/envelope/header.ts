import type { Suite } from '../algorithms/registry.ts';
import { KmsError } from '../errors/kms-error.ts';
import { asBuffer } from '../encoding/as-buffer.ts';
import { type KeyId, uuidFromBytes, uuidToBytes } from '../model/identifiers.ts';

/** The only format so far. */
const FORMAT = 1;
/** format(1) ‖ suite(1) ‖ keyId(16) ‖ keyVersion(4, big-endian) */
export const HEADER_BYTES = 22;
const VERSION_AT = 18;

/** What a ciphertext says about itself. */
export interface EnvelopeHeader {
  readonly suite: Suite;
  readonly keyId: KeyId;
  readonly keyVersion: number;
}

/** The header of new ciphertexts under one key version. */
export function makeHeader(suite: Suite, keyId: KeyId, keyVersion: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header[0] = FORMAT;
  header[1] = suite;
  uuidToBytes(keyId).copy(header, 2);
  header.writeUInt32BE(keyVersion, VERSION_AT);
  return header;
}

/**
 * Reads the header of a ciphertext.
 *
 * @throws KmsError `DECRYPT_FAILED` for anything that no version of the KMS wrote.
 */
export function parseHeader(ciphertext: Uint8Array): EnvelopeHeader {
  const suite = ciphertext[1];
  if (ciphertext.length < HEADER_BYTES || ciphertext[0] !== FORMAT || !isSuite(suite)) throw decryptFailed();
  const bytes = asBuffer(ciphertext);
  return { suite, keyId: uuidFromBytes(bytes, 2), keyVersion: bytes.readUInt32BE(VERSION_AT) };
}

/** The version that the bytes name which are a header if anything is; 0, which is none, for fewer bytes than a header has. */
export function versionIn(ciphertext: Uint8Array): number {
  return ciphertext.length < HEADER_BYTES ? 0 : asBuffer(ciphertext).readUInt32BE(VERSION_AT);
}

/** Whether a ciphertext begins with this header; with none, it does not. */
export function beginsWithHeader(ciphertext: Uint8Array, header: Uint8Array | undefined): boolean {
  if (header === undefined) return false;
  for (let at = 0; at < HEADER_BYTES; at += 1) if (ciphertext[at] !== header[at]) return false;
  return true;
}

function isSuite(value: number | undefined): value is Suite {
  return value !== undefined && value >= 1 && value <= 5;
}

/** The one answer for every way in which a ciphertext can be wrong, so that it tells an attacker nothing. */
export function decryptFailed(cause?: unknown): KmsError {
  return new KmsError('DECRYPT_FAILED', 'The ciphertext, its context and its key do not belong together.', { cause });
}
