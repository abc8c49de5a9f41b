import type { KeyHierarchy } from '../hierarchy/key-hierarchy.ts';
import { TenantAuthority } from '../hierarchy/tenant-authority.ts';
import { newId, SYSTEM_TENANT, type TenantId } from '../model/identifiers.ts';
import type { TenantRecord } from '../model/tenant.ts';
import type { Store } from '../ports/store.ts';
import { sampleTenant, SYSTEM } from './store-samples.ts';

/** Adds a tenant with a master key, as the operation does, without a caller. */
export async function addTenant(
  store: Store,
  hierarchy: KeyHierarchy,
  tenantId: TenantId = newId(),
  change: Partial<TenantRecord> = {},
): Promise<TenantId> {
  const authority = new TenantAuthority(await hierarchy.masterKeys(SYSTEM_TENANT));
  const masterKey = await hierarchy.prepareMasterKey(tenantId);
  await store.transact(SYSTEM, async (unit) => {
    await unit.tenants.insert(authority.sign(sampleTenant(tenantId, { createdAt: unit.now, ...change })));
    await masterKey.store(unit);
  });
  return tenantId;
}
