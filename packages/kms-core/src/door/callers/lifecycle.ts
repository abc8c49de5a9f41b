import type { ChangeRequest } from '../../model/change-request.ts';
import type { KeyDescription } from '../../model/describe-key.ts';
import type { DestroyKeyInput, ShredKeyInput } from '../../operations/destroy-key.ts';
import type { KeyUsageDescription, KeyUsageInput } from '../../operations/key-usage.ts';
import type { RetireVersionsInput } from '../../operations/retire-versions.ts';
import type { RevokeKeyInput } from '../../operations/revoke-key.ts';

/**
 * The operations that move a key through its life. Each is done once: called again for a key that is already so, it changes nothing
 * and answers with the key. All throw `NOT_FOUND`, `CONFLICT` when the key no longer has the revision `ifRevision`, and
 * `KEY_STATE_INVALID` where the state of the key does not allow it.
 */
export interface LifecycleOperations {
  /**
   * Makes a new version, which is used from now on. The versions before it still decrypt, verify and unwrap.
   *
   * @throws KmsError `FORBIDDEN` without `kms:keys:rotate` on the key; `BAD_REQUEST` for an imported key, which gets a new version
   *   by importing one; `KEY_STATE_INVALID` for a key that is not active.
   * @example
   * const { keyId } = await ada.createKey();
   * const { ciphertext } = await ada.encrypt({ keyId, plaintext: Buffer.from('old') });
   * const { currentVersion } = await ada.rotateKey({ keyId, statedReason: 'yearly rotation' });
   * const { keyVersion } = await ada.decrypt({ ciphertext });
   * console.log(currentVersion, keyVersion); // 2 1
   */
  rotateKey(input: ChangeRequest): Promise<KeyDescription>;

  /**
   * Makes a new version under the post-quantum default for what the key does, such as ML-DSA for signatures. The versions
   * before it still verify, and their public keys stay readable.
   *
   * @throws KmsError `FORBIDDEN` without `kms:keys:rotate` on the key; `BAD_REQUEST` where nothing is to be upgraded;
   *   `KEY_STATE_INVALID` for a key that is not active.
   * @example
   * import { resolveAlgorithm } from '@qnsp/kms-core';
   * const { keyId } = await ada.createKey({ algorithm: resolveAlgorithm('Ed25519') });
   * const { algorithmNist, currentVersion } = await ada.upgradeKey({ keyId });
   * console.log(algorithmNist, currentVersion); // ML-DSA-65 2
   */
  upgradeKey(input: ChangeRequest): Promise<KeyDescription>;

  /**
   * When each version of a key was last used, to the hour, and whether that was in the last days: 30 by default.
   *
   * @throws KmsError `FORBIDDEN` without `kms:keys:read` on the key.
   * @example
   * const { keyId } = await ada.createKey();
   * await ada.encrypt({ keyId, plaintext: Buffer.from('a use') });
   * await ada.rotateKey({ keyId });
   * const { versions } = await ada.getKeyUsage({ keyId, days: 7 });
   * console.log(versions.map(({ version, isUsed }) => `${version} ${isUsed}`)); // [ '1 true', '2 false' ]
   */
  getKeyUsage(input: KeyUsageInput): Promise<KeyUsageDescription>;

  /**
   * Deactivates the versions that were superseded so many days ago: from then on they read nothing, forever. All of them, or none if one
   * was used in this time.
   *
   * @throws KmsError `FORBIDDEN` without `kms:keys:delete` on the key; `KEY_STATE_INVALID` while one is used, with the times.
   * @example
   * const { keyId } = await ada.createKey();
   * await ada.rotateKey({ keyId });
   * // Nothing was superseded 90 days ago.
   * const { versions } = await ada.retireVersions({ keyId, olderThanDays: 90 });
   * console.log(versions.map(({ state }) => state)); // [ 'decrypt-only', 'active' ]
   */
  retireVersions(input: RetireVersionsInput): Promise<KeyDescription>;

  /**
   * Lets a key only process what it protected earlier, until it is resumed: it decrypts, verifies, unwraps and decapsulates, but
   * does not encrypt, sign or wrap.
   *
   * @throws KmsError `FORBIDDEN` without `kms:keys:update` on the key.
   * @example
   * const { keyId } = await ada.createKey();
   * await ada.suspendKey({ keyId });
   * const plaintext = Buffer.from('more');
   * console.log(await ada.encrypt({ keyId, plaintext }).catch((error) => error.code)); // KEY_STATE_INVALID
   */
  suspendKey(input: ChangeRequest): Promise<KeyDescription>;

  /**
   * Makes a suspended key active again.
   *
   * @throws KmsError `FORBIDDEN` without `kms:keys:update` on the key.
   * @example
   * const { keyId } = await ada.createKey();
   * await ada.suspendKey({ keyId });
   * const { state } = await ada.resumeKey({ keyId });
   * console.log(state); // active
   */
  resumeKey(input: ChangeRequest): Promise<KeyDescription>;

  /**
   * Ends every use of a key immediately and permanently, in every process of the KMS. With `cascade` the keys below it in the
   * tenant's hierarchy follow, some at a time: `warnings` of the answer say what is left, and the same call again continues.
   *
   * @throws KmsError `FORBIDDEN` without `kms:keys:delete` on the key; `BAD_REQUEST` for a reason that is not one of
   *   `REVOCATION_REASONS`.
   * @example
   * const { keyId } = await ada.createKey();
   * const { ciphertext } = await ada.encrypt({ keyId, plaintext: Buffer.from('secret') });
   * const { state } = await ada.revokeKey({ keyId, reason: 'suspected_compromise' });
   * console.log(state, await ada.decrypt({ ciphertext }).catch((error) => error.code)); // revoked KEY_STATE_INVALID
   */
  revokeKey(input: RevokeKeyInput): Promise<KeyDescription>;

  /**
   * Deactivates a key now, and destroys it after `pendingDays` (1 to 90, 7 by default), within which {@link restoreKey} takes
   * it back.
   *
   * @throws KmsError `FORBIDDEN` without `kms:keys:delete` on the key.
   * @example
   * const { keyId } = await ada.createKey();
   * const { state, destroyAt } = await ada.destroyKey({ keyId, pendingDays: 30 });
   * const days = Math.round((Date.parse(destroyAt ?? '') - Date.now()) / (24 * 60 * 60 * 1000));
   * console.log(state, days); // deactivated 30
   */
  destroyKey(input: DestroyKeyInput): Promise<KeyDescription>;

  /**
   * Takes a scheduled destruction back: the key is again what it was before.
   *
   * @throws KmsError `FORBIDDEN` without `kms:keys:delete` on the key; `KEY_STATE_INVALID` when the waiting period is over.
   * @example
   * const { keyId } = await ada.createKey();
   * await ada.destroyKey({ keyId });
   * const { state, destroyAt } = await ada.restoreKey({ keyId });
   * console.log(state, destroyAt); // active null
   */
  restoreKey(input: ChangeRequest): Promise<KeyDescription>;

  /**
   * Destroys the material of every version immediately and irrevocably. The record of the key stays, for audit.
   *
   * @throws KmsError `FORBIDDEN` without `kms:keys:delete` on the key; `BAD_REQUEST` when `confirmation` is not `SHRED-` followed by
   *   the id of the key; `HSM_UNAVAILABLE` if the key is permanently out of use but its HSM does not answer: its material is
   *   destroyed as soon as it does.
   * @example
   * const { keyId } = await ada.createKey();
   * const { state, versions } = await ada.shredKey({ keyId, confirmation: `SHRED-${keyId}` });
   * console.log(state, versions[0]?.state); // destroyed destroyed
   */
  shredKey(input: ShredKeyInput): Promise<KeyDescription>;
}
