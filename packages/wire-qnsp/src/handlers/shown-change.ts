import type { ChangedKey } from '@qnsp/kms-contract';
import { type KeyDescription, KmsError, type Operation, OPERATIONS, requireAccess } from '@qnsp/kms-core';

/**
 * What a change of a key returns: the key to callers who may read it as it is now, and to everybody else that it was
 * changed.
 */
export async function shownChange(
  op: Operation,
  change: Promise<KeyDescription>,
): Promise<KeyDescription | ChangedKey> {
  const key = await change;
  const { keyId, tenantId } = key;
  return (await mayRead(op, keyId)) ? key : { keyId, tenantId, changed: true };
}

async function mayRead(op: Operation, keyId: string): Promise<boolean> {
  try {
    await requireAccess(op, { keyId, permission: OPERATIONS.getKey.permission });
    return true;
  } catch (error) {
    // Even when it cannot be determined, for example because the store does not answer: the change was made, and must not seem to fail.
    if (error instanceof KmsError) return false;
    throw error;
  }
}
