import { authorize } from '../access/evaluate-policy.ts';
import { checkBoolean } from '../bounds/check-values.ts';
import { checkPolicy } from '../bounds/check-policy.ts';
import { assertNoLockout } from '../access/lockout.ts';
import { assertGrantable } from '../access/grantable-policy.ts';
import type { PolicyDocument } from '../model/policy-document.ts';
import type { ChangeRequest } from '../model/change-request.ts';
import type { KeyDescription } from '../model/describe-key.ts';
import type { KeyId } from '../model/identifiers.ts';
import { OPERATIONS } from './catalog.ts';
import { changeKey } from './change-key.ts';
import type { Operation } from './operation.ts';

/** The policy of a key, `null` when it has none. */
export async function getKeyPolicy(
  { kms, caller }: Operation,
  input: { readonly keyId: KeyId },
): Promise<PolicyDocument | null> {
  const record = await kms.keyRing.read(caller.tenantId, input.keyId);
  authorize(caller, OPERATIONS.getKeyPolicy.permission, record, kms.clock());
  return record.policy;
}

/** The policy that a key is to have. */
export interface PutKeyPolicyInput extends ChangeRequest {
  readonly policy: PolicyDocument;
  /** Also accepts a policy that keeps the caller from changing it again. */
  readonly allowLockout?: boolean;
}

/**
 * Replaces the policy of a key.
 *
 * @throws KmsError `FORBIDDEN` when it grants what the caller does not hold; `BAD_REQUEST` when it locks the caller out.
 */
export async function putKeyPolicy(op: Operation, input: PutKeyPolicyInput): Promise<KeyDescription> {
  const { kms, caller } = op;
  checkPolicy('policy', input.policy);
  if (input.allowLockout !== undefined) checkBoolean('allowLockout', input.allowLockout);
  assertGrantable(caller, input.policy);
  return changeKey(op, OPERATIONS.putKeyPolicy, input, ({ keyId }) => {
    assertNoLockout(caller, input.policy, keyId, kms.clock(), input.allowLockout);
    return { policy: input.policy };
  });
}

/** Removes the policy of a key: the permissions of the credential decide again. */
export function deleteKeyPolicy(op: Operation, input: ChangeRequest): Promise<KeyDescription> {
  return changeKey(op, OPERATIONS.deleteKeyPolicy, input, () => ({ policy: null }));
}
