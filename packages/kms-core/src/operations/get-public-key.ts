import { authorize } from '../access/evaluate-policy.ts';
import { checkVersion } from '../bounds/check-values.ts';
import { badRequest } from '../errors/kms-error.ts';
import type { KeyId } from '../model/identifiers.ts';
import { OPERATIONS } from './catalog.ts';
import type { Operation } from './operation.ts';

/** The public key of a version. */
export interface PublicKeyResult {
  readonly keyId: KeyId;
  readonly keyVersion: number;
  readonly algorithm: string;
  /** SubjectPublicKeyInfo in DER. */
  readonly publicKey: Uint8Array;
}

/** The public key of a version, of the current one without `keyVersion`. It stays readable whatever the key's state. */
export async function getPublicKey(
  { kms, caller }: Operation,
  input: { readonly keyId: KeyId; readonly keyVersion?: number },
): Promise<PublicKeyResult> {
  checkVersion('keyVersion', input.keyVersion);
  const { record } = await kms.keyRing.load(caller.tenantId, input.keyId);
  authorize(caller, OPERATIONS.getPublicKey.permission, record, kms.clock());
  const wanted = input.keyVersion ?? record.currentVersion;
  const version = record.versions.find((candidate) => candidate.version === wanted);
  if (version === undefined) throw badRequest('version', 'the key has no such version');
  if (version.publicKey === null)
    throw badRequest('keyId', `a key with the algorithm ${version.algorithm} has no public key`);
  return {
    keyId: record.keyId,
    keyVersion: version.version,
    algorithm: version.algorithm,
    publicKey: version.publicKey,
  };
}
