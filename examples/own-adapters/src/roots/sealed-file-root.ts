import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes, scryptSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { KmsError } from '@qnsp/kms-core';
import type { RootProvider } from '@qnsp/kms-core/ports';

const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** RFC 7914 with 128 MiB, which makes each guess at a passphrase take some tenths of a second. */
const COST = { N: 131_072, r: 8, p: 1, maxmem: 256 * 1024 * 1024 };
/** A number of the format, so that others can follow. */
const MAGIC = Buffer.from('own-root/v1\n', 'ascii');
const SALT_BYTES = 16;

/**
 * Makes a root key and writes it to a new file, sealed under a key that scrypt derives from the passphrase.
 *
 * @throws an error with the code `EEXIST` where the file is there: it may hold the root of a database
 */
export function createSealedRoot(path: string, passphrase: string): void {
  const salt = randomBytes(SALT_BYTES);
  const header = Buffer.concat([MAGIC, salt]);
  const rootKey = randomBytes(KEY_BYTES);
  const sealed = seal(scryptSync(passphrase, salt, KEY_BYTES, COST), rootKey, header);
  rootKey.fill(0);
  writeFileSync(path, Buffer.concat([header, sealed]), { flag: 'wx', mode: 0o600, flush: true });
}

/**
 * A root whose key is in such a file.
 *
 * @param id the provider's name in wraps, for good
 * @throws KmsError `SEALED` when the file does not open with the passphrase
 */
export function openSealedRoot(id: string, path: string, passphrase: string): RootProvider {
  const rootKey = readRootKey(path, passphrase);
  // What wraps and what is shown as the check value share no key.
  const wrapKey = Buffer.from(hkdfSync('sha256', rootKey, '', 'own-root/v1/wrap', KEY_BYTES));
  const checkKey = Buffer.from(hkdfSync('sha256', rootKey, '', 'own-root/v1/check-value', KEY_BYTES));
  rootKey.fill(0);
  return {
    id,
    kind: 'software',
    checkValue: async () => createHmac('sha256', checkKey).update('check value').digest('hex').slice(0, 16),
    wrap: async (key, aad) => seal(wrapKey, key, aad),
    unwrap: async (wrapped, aad) => open(wrapKey, wrapped, aad),
  };
}

function readRootKey(path: string, passphrase: string): Buffer {
  const file = readFileSync(path);
  const header = file.subarray(0, MAGIC.length + SALT_BYTES);
  if (Buffer.compare(header.subarray(0, MAGIC.length), MAGIC) !== 0)
    throw new KmsError('SEALED', `${path} is not a file of a sealed root key.`);
  try {
    const key = scryptSync(passphrase, header.subarray(MAGIC.length), KEY_BYTES, COST);
    return open(key, file.subarray(header.length), header);
  } catch (cause) {
    throw new KmsError('SEALED', `${path} does not open with this passphrase, or was changed.`, { cause });
  }
}

/** AES-256-GCM under a random nonce, which goes first; the tag goes last. */
function seal(key: Uint8Array, plaintext: Uint8Array, aad: Uint8Array): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(aad);
  return Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

function open(key: Uint8Array, sealed: Uint8Array, aad: Uint8Array): Buffer {
  if (sealed.length < NONCE_BYTES + TAG_BYTES) throw new KmsError('DECRYPT_FAILED', 'The wrap is too short.');
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(aad);
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  const plaintext = decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES));
  try {
    return Buffer.concat([plaintext, decipher.final()]);
  } catch (cause) {
    plaintext.fill(0);
    throw new KmsError('DECRYPT_FAILED', 'The wrap was changed, or is of another root.', { cause });
  }
}
