import { createDecipheriv, createSecretKey, type KeyObject, publicEncrypt, randomBytes } from 'node:crypto';
import { decryptFailed, HEADER_BYTES } from '../envelope/header.ts';
import { type AeadCipher, NONCE_BYTES, openAead, randomNonce, sealAead } from './aead.ts';
import type { KeyEngine, MessageEngine } from './engine.ts';
import { andThen, type MaybePromise } from '../base/maybe-promise.ts';
import { hkdfOneBlock } from './hkdf-one-block.ts';
import type { Kem } from './kem.ts';
import { OAEP, oaepOpener } from './oaep.ts';
import { Xaes256Gcm } from './xaes-256-gcm.ts';

/** Suites 2 and 3: an AEAD with a random 96-bit nonce, under a message budget. */
export function randomNonceEngine(cipher: AeadCipher, key: KeyObject): MessageEngine {
  return {
    seal: (header, context, plaintext) => {
      const nonce = randomNonce(NONCE_BYTES);
      return Buffer.concat([header, nonce, ...sealAead(cipher, key, nonce, [header, context], plaintext)]);
    },
    open: (ciphertext, context) => {
      const body = ciphertext.subarray(HEADER_BYTES + NONCE_BYTES);
      const nonce = ciphertext.subarray(HEADER_BYTES, HEADER_BYTES + NONCE_BYTES);
      return openAead(cipher, key, nonce, body, [ciphertext.subarray(0, HEADER_BYTES), context]);
    },
  };
}

/**
 * Suite 4: encapsulate, then suite 1 under HKDF-SHA3-256 of the shared secret with info = header ‖ KEM ciphertext.
 * A tampered KEM ciphertext decapsulates to another secret (implicit rejection, FIPS 203), which the AEAD then refuses.
 */
export function kemMessageEngine(kem: Kem): MessageEngine {
  const messageKey = (sharedSecret: Uint8Array, header: Uint8Array, encapsulated: Uint8Array) => {
    const info = Buffer.concat([header, encapsulated]);
    const derived = hkdfOneBlock(sharedSecret, info);
    return wipeAfter(derived, () => wipeAfter(sharedSecret, () => new Xaes256Gcm(createSecretKey(derived))));
  };
  return {
    seal: (header, context, plaintext) => {
      const { sharedSecret, ciphertext } = kem.encapsulate();
      const aead = messageKey(sharedSecret, header, ciphertext);
      return aead.seal(Buffer.concat([header, ciphertext]), [header, context], plaintext);
    },
    open: (ciphertext, context) => {
      const header = ciphertext.subarray(0, HEADER_BYTES);
      const encapsulated = ciphertext.subarray(HEADER_BYTES, HEADER_BYTES + kem.ciphertextBytes);
      if (encapsulated.length !== kem.ciphertextBytes) throw decryptFailed();
      const aead = messageKey(kem.decapsulate(encapsulated), header, encapsulated);
      return aead.open(ciphertext, [header, context], HEADER_BYTES + kem.ciphertextBytes);
    },
  };
}

const MESSAGE_KEY_BYTES = 32;

/** Suite 5: RSAES-OAEP with SHA-256 (RFC 8017) of a fresh key, then suite 1 under that key. Opens on the thread pool. */
export function rsaMessageEngine(privateKey: KeyObject, publicKey: KeyObject): MessageEngine {
  return oaepMessageEngine(publicKey, oaepOpener(privateKey));
}

/**
 * Suite 5 for a private key that may be anywhere.
 *
 * @param openMessageKey undoes RSAES-OAEP and throws `DECRYPT_FAILED` when that fails; its answer is wiped here
 */
export function oaepMessageEngine(
  publicKey: KeyObject,
  openMessageKey: (encrypted: Uint8Array) => MaybePromise<Uint8Array>,
): MessageEngine {
  const encryptedBytes = (publicKey.asymmetricKeyDetails?.modulusLength ?? 0) / 8;
  return {
    seal: (header, context, plaintext) => {
      const messageKey = randomBytes(MESSAGE_KEY_BYTES);
      return wipeAfter(messageKey, () => {
        const encrypted = publicEncrypt({ key: publicKey, ...OAEP }, messageKey);
        const aead = new Xaes256Gcm(createSecretKey(messageKey));
        // The encrypted key is authenticated too: OAEP is the only part that an outsider could replace.
        return aead.seal(Buffer.concat([header, encrypted]), [header, encrypted, context], plaintext);
      });
    },
    open: (ciphertext, context) => {
      const header = ciphertext.subarray(0, HEADER_BYTES);
      const encrypted = ciphertext.subarray(HEADER_BYTES, HEADER_BYTES + encryptedBytes);
      if (encrypted.length !== encryptedBytes) throw decryptFailed();
      return andThen(openMessageKey(encrypted), (messageKey) =>
        wipeAfter(messageKey, () => {
          if (messageKey.length !== MESSAGE_KEY_BYTES) throw decryptFailed();
          const aead = new Xaes256Gcm(createSecretKey(messageKey));
          return aead.open(ciphertext, [header, encrypted, context], HEADER_BYTES + encryptedBytes);
        }),
      );
    },
  };
}

/**
 * AES-256-CBC with PKCS #7 padding of imported keys, `iv(16) ‖ body`, to read data that another system wrote.
 * CBC authenticates nothing: re-encrypt what comes out of it.
 */
export function legacyCbcEngine(key: KeyObject): Required<Pick<KeyEngine, 'openLegacy'>> {
  return {
    openLegacy: (ciphertext) => {
      if (ciphertext.length < 32 || ciphertext.length % 16 !== 0) throw decryptFailed();
      const decryption = createDecipheriv('aes-256-cbc', key, ciphertext.subarray(0, 16));
      try {
        return Buffer.concat([decryption.update(ciphertext.subarray(16)), decryption.final()]);
      } catch (cause) {
        throw decryptFailed(cause);
      }
    },
  };
}

function wipeAfter<T>(secret: Uint8Array, use: () => T): T {
  try {
    return use();
  } finally {
    secret.fill(0);
  }
}
