import { createHmac, createSecretKey } from 'node:crypto';
import { NONCE_BYTES, openAead, randomNonce, sealAead } from '../engines/aead.ts';
import type { RootProvider } from '../ports/root-provider.ts';
import { deriveKey } from './derive.ts';

export const ROOT_KEY_BYTES = 32;

/**
 * A root key in this process, for deployments without an HSM. Wraps with AES-256-GCM and a random nonce under a key that
 * is derived from the root, so that the check value and the wraps share no key.
 *
 * @param id the provider's name in wraps
 * @param rootKey 32 random bytes; the caller wipes them afterwards
 * @example
 * import { randomBytes } from 'node:crypto';
 * import { softwareRoot } from '@qnsp/kms-core';
 * const root = softwareRoot('software', randomBytes(32));
 * const [masterKey, about] = [randomBytes(32), Buffer.from('a tenant')];
 * console.log(Buffer.compare(await root.unwrap(await root.wrap(masterKey, about), about), masterKey)); // 0
 */
export function softwareRoot(id: string, rootKey: Uint8Array): RootProvider {
  // The characters of a text would be taken for its bytes.
  if (!(rootKey?.BYTES_PER_ELEMENT === 1)) throw new RangeError('a software root key is 32 bytes, and no text');
  if (rootKey.length !== ROOT_KEY_BYTES) throw new RangeError('a software root key has 32 bytes');
  const root = createSecretKey(rootKey);
  const wrapKey = deriveKey(root, 'qnsp-kms/v1/root-wrap');
  const checkKey = deriveKey(root, 'qnsp-kms/v1/root-check-value');
  return {
    id,
    kind: 'software',
    checkValue: async () => createHmac('sha256', checkKey).update('check value').digest('hex').slice(0, 16),
    wrap: async (key, aad) => {
      const nonce = randomNonce(NONCE_BYTES);
      return Buffer.concat([nonce, ...sealAead('aes-256-gcm', wrapKey, nonce, [aad], key)]);
    },
    unwrap: async (wrapped, aad) =>
      openAead('aes-256-gcm', wrapKey, wrapped.subarray(0, NONCE_BYTES), wrapped.subarray(NONCE_BYTES), [aad]),
  };
}
