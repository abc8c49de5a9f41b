import type { KeyId, TenantId } from '@qnsp/kms-core';
import type { KeyRing } from '@qnsp/kms-core/internal';

/** Has a ring load a key and make the engine of its current version, as the use of a key does. */
export async function useColdKey(ring: KeyRing, tenantId: TenantId, keyId: KeyId): Promise<void> {
  const key = await ring.load(tenantId, keyId);
  const version = key.version(key.record.currentVersion);
  if (version === undefined) throw new Error('a loaded key has its current version');
  version.engine();
}
