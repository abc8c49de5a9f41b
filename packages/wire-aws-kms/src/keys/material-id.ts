import { createHash } from 'node:crypto';
import type { KeyId } from '@qnsp/kms-core';

/** What AWS calls the material of a version of a key: the same for the same version, and it tells nothing of the material. */
export function materialIdOf(keyId: KeyId, keyVersion: number): string {
  return createHash('sha256').update(`${keyId}/${keyVersion}`).digest('hex');
}
