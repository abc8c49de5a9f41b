import { TenantAuthority } from '../hierarchy/tenant-authority.ts';
import type { KeyHierarchy } from '../hierarchy/key-hierarchy.ts';
import { SYSTEM_TENANT, type TenantId } from '../model/identifiers.ts';
import { areAsForAll, limitsOfTenant, type TenantLimits } from '../model/tenant-limits.ts';
import type { TenantRecord } from '../model/tenant.ts';
import type { Store } from '../ports/store.ts';

/**
 * What a tenant has of its own of the limits, for an identity of it; `undefined` where nothing. What holds it drops it with everything
 * else of the tenant when its record changes.
 *
 * @throws KmsError `INTERNAL_ERROR` for a record that somebody changed
 */
export async function ownLimits(
  store: Store,
  hierarchy: KeyHierarchy,
  tenantId: TenantId | null,
): Promise<TenantLimits | undefined> {
  if (tenantId === null) return undefined;
  const tenant = await store.transact({ kind: 'tenant', tenantId }, (unit) => unit.tenants.get(tenantId));
  return tenant && authenticLimits(hierarchy, tenant);
}

/**
 * What the record of a tenant says of its limits; `undefined` where nothing.
 *
 * @throws KmsError `INTERNAL_ERROR` for a record that somebody changed
 */
export async function authenticLimits(
  hierarchy: KeyHierarchy,
  tenant: TenantRecord,
): Promise<TenantLimits | undefined> {
  if (Object.keys(tenant.fields).length === 0) return undefined;
  // Without a MAC it could have no fields.
  new TenantAuthority(await hierarchy.masterKeys(SYSTEM_TENANT)).verify(tenant, false);
  const limits = limitsOfTenant(tenant);
  return areAsForAll(limits) ? undefined : limits;
}
