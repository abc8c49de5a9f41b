import type { ChangedKey } from '@qnsp/kms-contract';
import type { KeyDescription } from '@qnsp/kms-core';
import type { Operation } from '@qnsp/kms-core/internal';

/**
 * What a change of a key returns: the key to callers who may read it as the change left it, and to everybody else that it was
 * changed. The unit of work of the change decides it: nothing that goes wrong after the commit makes the answer another one.
 */
export async function shownChange(
  op: Operation,
  change: (op: Operation) => Promise<KeyDescription>,
): Promise<KeyDescription | ChangedKey> {
  let isReadable = false;
  const onReadable = (readable: boolean) => {
    isReadable = readable;
  };
  const key = await change({ ...op, onReadable });
  const { keyId, tenantId } = key;
  return isReadable ? key : { keyId, tenantId, changed: true };
}
