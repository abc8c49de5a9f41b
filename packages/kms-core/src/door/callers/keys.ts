import type { KeyDescription } from '../../model/describe-key.ts';
import type { ChangeRequest } from '../../model/change-request.ts';
import type { KeyId } from '../../model/identifiers.ts';
import type { PolicyDocument } from '../../model/policy-document.ts';
import type { CreateKeyInput } from '../../operations/create-key.ts';
import type { PublicKeyResult } from '../../operations/get-public-key.ts';
import type { ImportKeyInput } from '../../operations/import-key.ts';
import type { ImportParameters, WrappingAlgorithm } from '../../operations/import-parameters.ts';
import type { PutKeyPolicyInput } from '../../operations/key-policy.ts';
import type { GetInventoryInput, GetInventoryResult, InventoryPage } from '../../operations/inventory.ts';
import type { KeyStatistics } from '../../operations/key-statistics.ts';
import type { ListKeysInput, ListKeysResult } from '../../operations/list-keys.ts';
import type { RotationSchedules } from '../../operations/rotation-schedules.ts';
import type { UpdateKeyInput } from '../../operations/update-key.ts';

/** The operations that make keys, show them and change their settings. */
export interface KeyOperations {
  /**
   * Creates a key with its first version. Every setting is optional: without any it is an AES-256-GCM key for encryption.
   * `warnings` of the answer say what was done differently from what was asked.
   *
   * @throws KmsError `FORBIDDEN` without `kms:keys:create`, or for a policy that grants what the caller does not hold;
   *   `BAD_REQUEST` for an algorithm that can only be imported; `HSM_UNAVAILABLE` for `protectionLevel: 'hsm'` when no HSM answers.
   * @example
   * import { resolveAlgorithm } from '@qnsp/kms-core';
   * const key = await ada.createKey({
   *   name: 'invoices',
   *   algorithm: resolveAlgorithm('ML-DSA-65'),
   *   rotation: { periodSeconds: 90 * 24 * 60 * 60 },
   *   metadata: { team: 'billing' },
   * });
   * console.log(key.state, key.purpose, key.rotation.rotationPeriod); // active signing P90D
   */
  createKey(input?: CreateKeyInput): Promise<KeyDescription>;

  /**
   * Makes a key pair under which the caller's own key material is wrapped for {@link importKey}. It is valid for a day; the KMS
   * keeps nothing of it.
   *
   * @throws KmsError `FORBIDDEN` without `kms:keys:import`.
   * @example
   * const parameters = await ada.getImportParameters({ wrappingAlgorithm: 'RSA_AES_KEY_WRAP_SHA_256' });
   * console.log(parameters.wrappingAlgorithm); // RSA_AES_KEY_WRAP_SHA_256
   */
  getImportParameters(input: { readonly wrappingAlgorithm: WrappingAlgorithm }): Promise<ImportParameters>;

  /**
   * Imports key material of the caller's own (BYOK): as a new key or, with `keyId`, as a new version of an imported one. Secret keys are
   * wrapped as raw bytes, private keys as PKCS#8 in DER.
   *
   * @throws KmsError `FORBIDDEN` without `kms:keys:import`; `BAD_REQUEST` naming the field for material, a token or an algorithm
   *   that do not fit one another.
   * @example
   * import { constants, publicEncrypt, randomBytes } from 'node:crypto';
   * import { resolveAlgorithm } from '@qnsp/kms-core';
   * import { wrapWithPadding } from '@qnsp/kms-core/engines';
   * const { publicKey, importToken } = await ada.getImportParameters({ wrappingAlgorithm: 'RSA_AES_KEY_WRAP_SHA_256' });
   * const [material, wrappingKey] = [randomBytes(32), randomBytes(32)];
   * const rsa = { key: Buffer.from(publicKey), format: 'der', type: 'spki' } as const;
   * const wrappedKey = publicEncrypt(
   *   { ...rsa, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' },
   *   wrappingKey,
   * );
   * const { versions } = await ada.importKey({
   *   algorithm: resolveAlgorithm('AES-256-GCM'),
   *   wrappingAlgorithm: 'RSA_AES_KEY_WRAP_SHA_256',
   *   importToken,
   *   wrappedMaterial: Buffer.concat([wrappedKey, wrapWithPadding(wrappingKey, material)]),
   * });
   * console.log(versions[0]?.origin); // imported
   */
  importKey(input: ImportKeyInput): Promise<KeyDescription>;

  /**
   * Lists the keys that the caller may read, newest first, a page at a time. Where a filter is given, all of them have to meet it.
   *
   * @throws KmsError `FORBIDDEN` without `kms:keys:read`; `BAD_REQUEST` for a cursor of another list.
   * @example
   * import type { ListKeysResult } from '@qnsp/kms-core';
   * for (const name of ['orders', 'invoices', 'letters']) await ada.createKey({ name });
   * const names: (string | null)[] = [];
   * let cursor: string | null = null;
   * do {
   *   const page: ListKeysResult = await ada.listKeys({ state: 'active', limit: 2, ...(cursor !== null && { cursor }) });
   *   names.push(...page.items.map(({ name }) => name));
   *   cursor = page.nextCursor;
   * } while (cursor !== null);
   * console.log(names.toSorted()); // [ 'invoices', 'letters', 'orders' ]
   */
  listKeys(input?: ListKeysInput): Promise<ListKeysResult>;

  /**
   * Counts the keys of the tenant by state and by algorithm, and the operations that used them in this month.
   *
   * @throws KmsError `FORBIDDEN` without `kms:keys:read`, and for a credential that is limited to some keys.
   * @example
   * await ada.createKey({ name: 'orders' });
   * const { total, byAlgorithm } = await ada.getKeyStats();
   * console.log(total, byAlgorithm); // 1 { 'aes-256-gcm': 1 }
   */
  getKeyStats(): Promise<KeyStatistics>;

  /**
   * The cryptographic inventory, a page at a time: every key with its versions, what their algorithms are worth, where they are kept and
   * how they are rotated. Of the caller's tenant, newest keys first; for a caller of the platform of all tenants.
   *
   * @throws KmsError `FORBIDDEN` without `kms:tenants:read` and `kms:keys:read`; `BAD_REQUEST` for a cursor of another list.
   * @example
   * import { resolveAlgorithm } from '@qnsp/kms-core';
   * await ada.createKey({ algorithm: resolveAlgorithm('ML-KEM-768') });
   * const { items } = await ada.getInventory({ limit: 1 });
   * console.log(items[0]?.quantumSafe, items[0]?.versions[0]?.nistCategory); // true 3
   */
  getInventory(input?: GetInventoryInput): Promise<GetInventoryResult>;

  /**
   * The whole inventory, in pages that are read while one iterates: any number of keys, in the memory of one page.
   *
   * @throws KmsError as {@link getInventory}; what keeps a later page from being read is thrown when it is asked for.
   * @example
   * await ada.createKey();
   * let keys = 0;
   * for await (const page of await ada.exportInventory()) keys += page.items.length;
   * console.log(keys); // 1
   */
  exportInventory(): Promise<AsyncIterable<InventoryPage>>;

  /**
   * Shows a key with all its versions, whatever its state.
   *
   * @throws KmsError `FORBIDDEN` without `kms:keys:read` on the key; `NOT_FOUND` when the tenant has no such key.
   * @example
   * const { keyId } = await ada.createKey({ name: 'orders' });
   * const { name, state, currentVersion } = await ada.getKey({ keyId });
   * console.log(name, state, currentVersion); // orders active 1
   */
  getKey(input: { readonly keyId: KeyId }): Promise<KeyDescription>;

  /**
   * The public key of a version, as SubjectPublicKeyInfo in DER; of the current version without `keyVersion`. It stays readable
   * whatever the state of the key, so that old signatures can still be verified elsewhere.
   *
   * @throws KmsError `FORBIDDEN` without `kms:keys:read` on the key; `NOT_FOUND`; `BAD_REQUEST` for a secret key, and for a
   *   version that the key does not have.
   * @example
   * import { createPublicKey, verify } from 'node:crypto';
   * import { resolveAlgorithm } from '@qnsp/kms-core';
   * const { keyId } = await ada.createKey({ algorithm: resolveAlgorithm('Ed25519') });
   * const data = Buffer.from('I owe you nothing.');
   * const { signature } = await ada.sign({ keyId, data });
   * const { publicKey } = await ada.getPublicKey({ keyId });
   * const key = createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' });
   * console.log(verify(null, data, key, signature)); // true
   */
  getPublicKey(input: { readonly keyId: KeyId; readonly keyVersion?: number }): Promise<PublicKeyResult>;

  /**
   * The keys that rotate automatically, the next due first; 50 of them without `limit`, 200 at most.
   *
   * @throws KmsError `FORBIDDEN` without `kms:keys:read`.
   * @example
   * await ada.createKey({ name: 'orders', rotation: { periodSeconds: 30 * 24 * 60 * 60 } });
   * const { items } = await ada.listRotationSchedules();
   * console.log(items[0]?.name, items[0]?.rotationPeriod); // orders P30D
   */
  listRotationSchedules(input?: { readonly limit?: number; readonly withinDays?: number }): Promise<RotationSchedules>;

  /**
   * The same list, for those who ask what is due soon: with `withinDays`, from 1 to 3650, it has only the keys due by then.
   *
   * @throws KmsError `FORBIDDEN` without `kms:keys:read`.
   * @example
   * await ada.createKey({ name: 'monthly', rotation: { periodSeconds: 30 * 24 * 60 * 60 } });
   * await ada.createKey({ name: 'daily', rotation: { periodSeconds: 24 * 60 * 60 } });
   * const { items } = await ada.listUpcomingRotations({ withinDays: 7 });
   * console.log(items.map(({ name }) => name)); // [ 'daily' ]
   */
  listUpcomingRotations(input?: { readonly limit?: number; readonly withinDays?: number }): Promise<RotationSchedules>;

  /**
   * Changes the name, metadata, rotation or limits of a key; what is absent stays as it is. Its material and its versions stay.
   *
   * @throws KmsError `FORBIDDEN` without `kms:keys:update` on the key; `NOT_FOUND`; `CONFLICT` when the key no longer has the
   *   revision `ifRevision`; `KEY_STATE_INVALID` for a key that has ended.
   * @example
   * const { keyId, revision } = await ada.createKey({ name: 'orders' });
   * const changed = await ada.updateKey({ keyId, ifRevision: revision, usageLimits: { maxOperations: 1_000_000 } });
   * console.log(changed.usageLimits.maxOperations, changed.name); // 1000000 orders
   * const late = ada.updateKey({ keyId, ifRevision: revision, name: 'invoices' });
   * console.log(await late.catch((error) => error.code)); // CONFLICT
   */
  updateKey(input: UpdateKeyInput): Promise<KeyDescription>;

  /**
   * The policy of a key; `null` when it has none and the permissions of credentials alone decide.
   *
   * @throws KmsError `FORBIDDEN` without `kms:keys:read` on the key; `NOT_FOUND`.
   * @example
   * const { keyId } = await ada.createKey();
   * console.log(await ada.getKeyPolicy({ keyId })); // null
   */
  getKeyPolicy(input: { readonly keyId: KeyId }): Promise<PolicyDocument | null>;

  /**
   * Replaces the policy of a key. A `deny` that matches wins, then an `allow`; where no statement matches, the permissions of the
   * credential decide. Administrators of the tenant can always change the policy again.
   *
   * @throws KmsError `FORBIDDEN` without `kms:keys:policy` on the key, and for a policy that grants what the caller does not hold;
   *   `BAD_REQUEST` for one that keeps the caller from changing it again, unless `allowLockout` is set; `NOT_FOUND`.
   * @example
   * import { localCaller } from '@qnsp/kms-core';
   * const { keyId } = await ada.createKey();
   * await ada.putKeyPolicy({
   *   keyId,
   *   policy: {
   *     version: '1',
   *     statements: [{ effect: 'deny', actions: ['kms:decrypt'], resources: ['*'], principals: ['importer'] }],
   *   },
   * });
   * const importer = kms.as(localCaller({ tenantId, subject: 'importer', role: 'key_user' }));
   * const { ciphertext } = await importer.encrypt({ keyId, plaintext: Buffer.from('secret') });
   * console.log(await importer.decrypt({ ciphertext }).catch((error) => error.code)); // FORBIDDEN
   */
  putKeyPolicy(input: PutKeyPolicyInput): Promise<KeyDescription>;

  /**
   * Removes the policy of a key: the permissions of credentials decide again.
   *
   * @throws KmsError `FORBIDDEN` without `kms:keys:policy` on the key; `NOT_FOUND`; `CONFLICT` for another revision.
   * @example
   * const statements = [{ effect: 'allow', actions: ['kms:encrypt'], resources: ['*'] }] as const;
   * const { keyId } = await ada.createKey({ policy: { version: '1', statements } });
   * await ada.deleteKeyPolicy({ keyId });
   * console.log(await ada.getKeyPolicy({ keyId })); // null
   */
  deleteKeyPolicy(input: ChangeRequest): Promise<KeyDescription>;
}
