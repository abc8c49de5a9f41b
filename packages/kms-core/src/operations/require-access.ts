import { authorize } from '../access/evaluate-policy.ts';
import { type Permission, PERMISSIONS } from '../access/permissions.ts';
import { checkOneOf } from '../bounds/check-values.ts';
import type { KeyId } from '../model/identifiers.ts';
import type { Operation } from './operation.ts';

export interface AccessQuestion {
  readonly keyId: KeyId;
  readonly permission: Permission;
}

/**
 * Checks whether the caller may do something with a key, before anything large is accepted for it or more of it is
 * shown. The operation itself asks again.
 *
 * @throws KmsError `FORBIDDEN`, or `NOT_FOUND` when the tenant has no such key.
 */
export async function requireAccess({ kms, caller }: Operation, { keyId, permission }: AccessQuestion): Promise<void> {
  checkOneOf('permission', permission, PERMISSIONS);
  const { record } = await kms.keyRing.load(caller.tenantId, keyId);
  authorize(caller, permission, record, kms.clock());
}
