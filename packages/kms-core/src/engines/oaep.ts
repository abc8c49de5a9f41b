import { constants, type KeyObject, webcrypto } from 'node:crypto';
import { decryptFailed } from '../envelope/header.ts';

/** RSAES-OAEP (RFC 8017) with SHA-256, for MGF1 as well, and no label: what {@link oaepOpener} opens. */
export const OAEP = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' } as const;

/**
 * Undoes RSAES-OAEP on the thread pool, which of Node's interfaces only Web Crypto does: as long as it takes, nobody else waits.
 * What comes out is the caller's to wipe.
 *
 * @throws KmsError `DECRYPT_FAILED`, the same for everything that can be wrong
 */
export function oaepOpener(privateKey: KeyObject): (encrypted: Uint8Array) => Promise<Uint8Array> {
  let key: webcrypto.CryptoKey | undefined;
  return async (encrypted) => {
    key ??= privateKey.toCryptoKey({ name: 'RSA-OAEP', hash: 'SHA-256' }, false, ['decrypt']);
    try {
      return new Uint8Array(await webcrypto.subtle.decrypt({ name: 'RSA-OAEP' }, key, Uint8Array.from(encrypted)));
    } catch (cause) {
      throw decryptFailed(cause);
    }
  };
}
