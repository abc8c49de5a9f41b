import type { KeyId } from '../../model/identifiers.ts';
import type { CreateDataKeyInput, CreateDataKeyResult } from '../../operations/create-data-key.ts';
import type { DecryptInput, DecryptResult } from '../../operations/decrypt.ts';
import type { DeriveInput, DeriveResult } from '../../operations/derive.ts';
import type { DecapsulateInput, DecapsulateResult, EncapsulateResult } from '../../operations/encapsulate.ts';
import type { EncryptInput, EncryptResult } from '../../operations/encrypt.ts';
import type { MacInput, MacResult, VerifyMacInput } from '../../operations/mac.ts';
import type { ReencryptInput } from '../../operations/reencrypt.ts';
import type { SignInput, SignResult } from '../../operations/sign.ts';
import type { VersionMatch } from '../../operations/try-versions.ts';
import type { UnwrapInput, UnwrapResult } from '../../operations/unwrap.ts';
import type { VerifyInput } from '../../operations/verify.ts';
import type { WrapInput, WrapResult } from '../../operations/wrap.ts';

/**
 * The operations that use a key. Each needs the permission of its name, such as `kms:encrypt`, for which `kms:keys:use` stands too. All
 * throw `FORBIDDEN` without it, `NOT_FOUND` when the tenant has no such key, `KEY_STATE_INVALID` where the state of the key or of
 * the version does not allow it, `KEY_USAGE_EXCEEDED` after the last operation that its limits allow, and `BAD_REQUEST` when its
 * algorithm or its purpose cannot do it.
 */
export interface CryptographicOperations {
  /**
   * Encrypts at most 65,536 bytes under the current version of a key. The ciphertext names its key and version, so that rotating the
   * key needs no bookkeeping. `context` is authenticated with it and is needed again to decrypt; it is not secret and not kept.
   *
   * @throws KmsError `BAD_REQUEST` for a plaintext or a context that is too large.
   * @example
   * const { keyId } = await ada.createKey();
   * const plaintext = Buffer.from('attack at dawn');
   * const { ciphertext, keyVersion } = await ada.encrypt({ keyId, plaintext, context: { order: '7' } });
   * console.log(keyVersion, Buffer.from(ciphertext).includes(plaintext)); // 1 false
   */
  encrypt(input: EncryptInput): Promise<EncryptResult>;

  /**
   * Decrypts a ciphertext of {@link encrypt} under the version that made it. With `keyId` it must be under that key.
   *
   * @throws KmsError `DECRYPT_FAILED` for a ciphertext that was changed, another context, or another key than `keyId`: nothing of
   *   the plaintext is released, and the error does not say which it was.
   * @example
   * const { keyId } = await ada.createKey();
   * const { ciphertext } = await ada.encrypt({ keyId, plaintext: Buffer.from('hello'), context: { order: '7' } });
   * const { plaintext } = await ada.decrypt({ ciphertext, context: { order: '7' } });
   * console.log(Buffer.from(plaintext).toString()); // hello
   * const other = ada.decrypt({ ciphertext, context: { order: '8' } });
   * console.log(await other.catch((error) => error.code)); // DECRYPT_FAILED
   */
  decrypt(input: DecryptInput): Promise<DecryptResult>;

  /**
   * Encrypts a ciphertext again under the current version of its key or under `destinationKeyId`, without its plaintext leaving the
   * KMS. Under another key it takes the permissions to decrypt with the one and to encrypt with the other as well.
   *
   * @throws KmsError `DECRYPT_FAILED` as {@link decrypt} does.
   * @example
   * const { keyId } = await ada.createKey();
   * const old = await ada.encrypt({ keyId, plaintext: Buffer.from('hello') });
   * await ada.rotateKey({ keyId });
   * const { keyVersion } = await ada.reencrypt({ ciphertext: old.ciphertext });
   * console.log(old.keyVersion, keyVersion); // 1 2
   */
  reencrypt(input: ReencryptInput): Promise<EncryptResult>;

  /**
   * Signs a message, which is hashed here, with the current version of a key. With `keyVersion` it refuses to sign once another version
   * is the current one. A message has at most 782,336 bytes.
   *
   * @throws KmsError `BAD_REQUEST` for options that the algorithm does not have.
   * @example
   * import { resolveAlgorithm } from '@qnsp/kms-core';
   * const { keyId } = await ada.createKey({ algorithm: resolveAlgorithm('ML-DSA-65') });
   * const { signature, keyVersion } = await ada.sign({ keyId, data: Buffer.from('I owe you nothing.') });
   * console.log(signature.length, keyVersion); // 3309 1
   */
  sign(input: SignInput): Promise<SignResult>;

  /**
   * Tells whether a signature is one of this key's over the data. Without `keyVersion` the versions that may still verify are tried,
   * newest first, 32 of them at most.
   *
   * @throws KmsError `BAD_REQUEST` when the newest versions did not make it and there are older ones: name the version then.
   * @example
   * import { resolveAlgorithm } from '@qnsp/kms-core';
   * const { keyId } = await ada.createKey({ algorithm: resolveAlgorithm('ECDSA-P256') });
   * const data = Buffer.from('I owe you nothing.');
   * const { signature } = await ada.sign({ keyId, data });
   * console.log((await ada.verify({ keyId, data, signature })).valid); // true
   * console.log((await ada.verify({ keyId, data: Buffer.from('I owe you 100.'), signature })).valid); // false
   */
  verify(input: VerifyInput): Promise<VersionMatch>;

  /**
   * Wraps a key of the caller's own, 1 to 65,536 bytes, under the current version of a key. What is wrapped can only be unwrapped, not
   * decrypted: the two are different permissions.
   *
   * @throws KmsError `BAD_REQUEST` for a key or associated data that are too large.
   * @example
   * import { randomBytes } from 'node:crypto';
   * const { keyId } = await ada.createKey({ purpose: 'key-wrapping' });
   * const { provider, keyVersion } = await ada.wrap({ keyId, dataKey: randomBytes(32) });
   * console.log(provider, keyVersion); // software 1
   */
  wrap(input: WrapInput): Promise<WrapResult>;

  /**
   * Opens a wrapped key under the version that wrapped it. The caller wipes what is answered after use.
   *
   * @throws KmsError `DECRYPT_FAILED` for anything else than what {@link wrap} or {@link createDataKey} made with the same associated
   *   data.
   * @example
   * import { randomBytes } from 'node:crypto';
   * const { keyId } = await ada.createKey();
   * const dataKey = randomBytes(32);
   * const { wrappedKey } = await ada.wrap({ keyId, dataKey });
   * const unwrapped = await ada.unwrap({ wrappedKey });
   * console.log(dataKey.equals(unwrapped.dataKey)); // true
   */
  unwrap(input: UnwrapInput): Promise<UnwrapResult>;

  /**
   * Makes a data key of 16 to 64 bytes, 32 by default, and wraps it: encrypt a large file with the data key, keep the wrapped one beside
   * it, and wipe the data key. With `withPlaintext: false` only the wrapped one is answered.
   *
   * @throws KmsError `BAD_REQUEST` for a length outside the bounds.
   * @example
   * const { keyId } = await ada.createKey();
   * const { dataKey, wrappedKey } = await ada.createDataKey({ keyId, associatedData: Buffer.from('file 7') });
   * const again = await ada.unwrap({ wrappedKey, associatedData: Buffer.from('file 7') });
   * console.log(dataKey?.length, Buffer.compare(dataKey ?? Buffer.alloc(0), again.dataKey)); // 32 0
   */
  createDataKey(input: CreateDataKeyInput): Promise<CreateDataKeyResult>;

  /**
   * Computes the MAC of a message under the current version of a key, or under a superseded one that is named by `keyVersion`: its
   * codes are then the same as before the rotation.
   *
   * @throws KmsError `BAD_REQUEST` for a message of more than 782,336 bytes.
   * @example
   * import { resolveAlgorithm } from '@qnsp/kms-core';
   * const { keyId } = await ada.createKey({ algorithm: resolveAlgorithm('HMAC-SHA256') });
   * const { mac } = await ada.mac({ keyId, data: Buffer.from('session 42') });
   * console.log(mac.length); // 32
   */
  mac(input: MacInput): Promise<MacResult>;

  /**
   * Tells whether a MAC is one of this key's over the data, in constant time. Without `keyVersion` the versions that may still verify
   * are tried, newest first, 32 of them at most.
   *
   * @throws KmsError `BAD_REQUEST` when the newest versions did not make it and there are older ones: name the version then.
   * @example
   * import { resolveAlgorithm } from '@qnsp/kms-core';
   * const { keyId } = await ada.createKey({ algorithm: resolveAlgorithm('HMAC-SHA256') });
   * const { mac } = await ada.mac({ keyId, data: Buffer.from('session 42') });
   * console.log((await ada.verifyMac({ keyId, data: Buffer.from('session 42'), mac })).valid); // true
   * console.log((await ada.verifyMac({ keyId, data: Buffer.from('session 43'), mac })).valid); // false
   */
  verifyMac(input: VerifyMacInput): Promise<VersionMatch>;

  /**
   * Makes a shared secret and its encapsulation to the current version of a KEM key. The caller wipes the secret after use.
   *
   * @example
   * import { resolveAlgorithm } from '@qnsp/kms-core';
   * const { keyId } = await ada.createKey({ algorithm: resolveAlgorithm('ML-KEM-768') });
   * const { sharedSecret, ciphertext } = await ada.encapsulate({ keyId });
   * console.log(sharedSecret.length, ciphertext.length); // 32 1088
   */
  encapsulate(input: { readonly keyId: KeyId }): Promise<EncapsulateResult>;

  /**
   * The shared secret of an encapsulation. A ciphertext of ML-KEM that was changed gives another secret and no error (FIPS 203, implicit
   * rejection): confirm the secret before use. `keyVersion` is the one that it was made for, the current one by default.
   *
   * @throws KmsError `DECRYPT_FAILED` for a ciphertext of the wrong length.
   * @example
   * import { resolveAlgorithm } from '@qnsp/kms-core';
   * const { keyId } = await ada.createKey({ algorithm: resolveAlgorithm('X-Wing') });
   * const { sharedSecret, ciphertext, keyVersion } = await ada.encapsulate({ keyId });
   * const opened = await ada.decapsulate({ keyId, ciphertext, keyVersion });
   * console.log(Buffer.from(sharedSecret).equals(opened.sharedSecret)); // true
   */
  decapsulate(input: DecapsulateInput): Promise<DecapsulateResult>;

  /**
   * Agrees on a key with a peer, whose public key on the same curve is SubjectPublicKeyInfo in DER, and derives 16 to 64 bytes of it
   * with HKDF-SHA-256 (RFC 5869); 32 by default. The raw shared secret never leaves the KMS.
   *
   * @throws KmsError `BAD_REQUEST` for a public key that is not one of this curve.
   * @example
   * import { resolveAlgorithm } from '@qnsp/kms-core';
   * const algorithm = resolveAlgorithm('X25519');
   * const [mine, theirs] = [await ada.createKey({ algorithm }), await ada.createKey({ algorithm })];
   * const agree = async (keyId: string, peer: string) => {
   *   const { publicKey } = await ada.getPublicKey({ keyId: peer });
   *   return ada.derive({ keyId, peerPublicKey: publicKey, info: Buffer.from('chat of ada and bob') });
   * };
   * const [one, two] = [await agree(mine.keyId, theirs.keyId), await agree(theirs.keyId, mine.keyId)];
   * console.log(one.derivedKey.length, Buffer.compare(one.derivedKey, two.derivedKey)); // 32 0
   */
  derive(input: DeriveInput): Promise<DeriveResult>;

  /**
   * Random bytes, 1 to 1024: from the HSM's generator mixed with the operating system's where there is an HSM.
   *
   * @throws KmsError `FORBIDDEN` without `kms:random`; `BAD_REQUEST` for another number of bytes.
   * @example
   * const nonce = await ada.getRandom({ bytes: 12 });
   * console.log(nonce.length); // 12
   */
  getRandom(input: { readonly bytes: number }): Promise<Uint8Array>;
}
