import { KmsClientError } from '../errors/kms-client-error.ts';

/** Which version of which key a ciphertext of the service is under: it says so itself. */
export interface CiphertextHeader {
  readonly keyId: string;
  readonly keyVersion: number;
}

/** format(1) ‖ suite(1) ‖ keyId(16) ‖ keyVersion(4, big-endian), the beginning of each ciphertext of `encrypt`. */
const HEADER_BYTES = 22;
const FORMAT = 1;

/**
 * Reads the beginning of a ciphertext. Nothing in it is authentic before the service has opened the ciphertext.
 *
 * @throws KmsClientError `ENVELOPE_INVALID` for what `encrypt` cannot have answered.
 */
export function ciphertextHeader(ciphertext: Uint8Array): CiphertextHeader {
  if (!(ciphertext instanceof Uint8Array) || ciphertext.length < HEADER_BYTES || ciphertext[0] !== FORMAT)
    throw new KmsClientError('ENVELOPE_INVALID', 'The field is not a ciphertext of the service.');
  const hex = Array.from(ciphertext.subarray(2, 18), (byte) => byte.toString(16).padStart(2, '0')).join('');
  const keyId = [8, 12, 16, 20].reduceRight((id, at) => `${id.slice(0, at)}-${id.slice(at)}`, hex);
  const keyVersion = new DataView(ciphertext.buffer, ciphertext.byteOffset + 18, 4).getUint32(0);
  return { keyId, keyVersion };
}
