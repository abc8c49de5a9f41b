import type { Caller } from '../access/caller.ts';
import { authorize } from '../access/evaluate-policy.ts';
import { checkPolicy } from '../bounds/check-policy.ts';
import { assertGrantable } from '../access/grantable-policy.ts';
import type { PolicyDocument } from '../access/policy-document.ts';
import type { KeyDescription } from '../model/describe-key.ts';
import type { KeyId } from '../model/identifiers.ts';
import { type ChangeRequest, changeKey } from './change-key.ts';
import type { Kms } from './kms.ts';

/** The policy of a key, `null` when it has none. */
export async function getKeyPolicy(
  kms: Kms,
  caller: Caller,
  input: { readonly keyId: KeyId },
): Promise<PolicyDocument | null> {
  const record = await kms.keyRing.read(caller.tenantId, input.keyId);
  authorize(caller, 'kms:keys:read', record, kms.clock());
  return record.policy;
}

/** Replaces the policy of a key. Throws `FORBIDDEN` when it grants what the caller does not hold. */
export async function putKeyPolicy(
  kms: Kms,
  caller: Caller,
  input: ChangeRequest & { readonly policy: PolicyDocument },
): Promise<KeyDescription> {
  checkPolicy('policy', input.policy);
  assertGrantable(caller, input.policy);
  return changeKey(kms, caller, input, 'kms:keys:policy', 'update', () => ({ policy: input.policy }));
}

/** Removes the policy of a key: the permissions of the credential decide again. */
export function deleteKeyPolicy(kms: Kms, caller: Caller, input: ChangeRequest): Promise<KeyDescription> {
  return changeKey(kms, caller, input, 'kms:keys:policy', 'update', () => ({ policy: null }));
}
