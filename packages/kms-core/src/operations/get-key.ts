import { authorize } from '../access/evaluate-policy.ts';
import type { KeyDescription } from '../model/describe-key.ts';
import type { KeyId } from '../model/identifiers.ts';
import { OPERATIONS } from './catalog.ts';
import type { Operation } from './operation.ts';
import { showKey } from './policy-violations.ts';

/** Shows a key, whatever its state. */
export async function getKey({ kms, caller }: Operation, input: { readonly keyId: KeyId }): Promise<KeyDescription> {
  const record = await kms.keyRing.read(caller.tenantId, input.keyId);
  authorize(caller, OPERATIONS.getKey.permission, record, kms.clock());
  return showKey(kms, record);
}
