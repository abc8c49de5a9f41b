import type { ChangedKey } from '@qnsp/kms-contract';
import { type Caller, type Kms, type KeyDescription, KmsError, OPERATIONS, requireAccess } from '@qnsp/kms-core';

interface ChangingCall {
  readonly kms: Kms;
  readonly caller: Caller;
}

/**
 * What a change of a key returns: the key to callers who may read it as it is now, and to everybody else that it was
 * changed.
 */
export async function shownChange(
  call: ChangingCall,
  change: Promise<KeyDescription>,
): Promise<KeyDescription | ChangedKey> {
  const key = await change;
  const { keyId, tenantId } = key;
  return (await mayRead(call, keyId)) ? key : { keyId, tenantId, changed: true };
}

async function mayRead({ kms, caller }: ChangingCall, keyId: string): Promise<boolean> {
  try {
    await requireAccess(kms, caller, { keyId, permission: OPERATIONS.getKey.permission });
    return true;
  } catch (error) {
    // Even when it cannot be determined, for example because the store does not answer: the change was made, and must not seem to fail.
    if (error instanceof KmsError) return false;
    throw error;
  }
}
