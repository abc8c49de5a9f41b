import { checkInteger } from '../bounds/check-values.ts';
import { KmsError } from '../errors/kms-error.ts';
import { everyTenant } from '../hierarchy/every-tenant.ts';
import { NEWEST_FORMAT } from '../hierarchy/record-formats.ts';
import { isMissing } from '../hierarchy/root-set.ts';
import { TenantAuthority } from '../hierarchy/tenant-authority.ts';
import { SYSTEM_TENANT, type TenantId } from '../model/identifiers.ts';
import type { MasterKeyWrap } from '../model/tenant.ts';
import type { Operation } from '../operations/operation.ts';
import type { RootParts } from './root-parts.ts';

export interface BindTenantsInput {
  /** How many at a time, from 1 on: each takes a root some calls. */
  readonly limit: number;
}

/** What one run did. */
export interface BoundTenants {
  readonly bound: number;
  /** How many are left: those of the next run, and those of which a root that wraps their master key is away. */
  readonly left: number;
}

/**
 * Gives tenants that were created before records of tenants had a MAC such a MAC, and their master keys wraps that open only
 * where it is there. Any number of nodes may do so at once.
 */
export async function bindTenants({ kms }: Operation<RootParts>, { limit }: BindTenantsInput): Promise<BoundTenants> {
  checkInteger('limit', limit, 1, Number.MAX_SAFE_INTEGER);
  const some: TenantId[] = [];
  let unbound = 0;
  for await (const { tenantId, mac, state } of everyTenant(kms.store)) {
    if (mac !== null || state !== 'active' || tenantId === SYSTEM_TENANT) continue;
    unbound += 1;
    if (some.length < limit) some.push(tenantId);
  }
  let bound = 0;
  for (const tenantId of some) {
    try {
      if (await bindOne(kms, tenantId)) bound += 1;
    } catch (error) {
      // Its root is away, or its master key does not open, which is said where it is used.
      if (!isMissing(error) && !(KmsError.is(error) && error.code === 'INTERNAL_ERROR')) throw error;
    }
  }
  return { bound, left: unbound - bound };
}

/** Answers whether it did: not where a root is away, and where the tenant or its wraps changed at the same moment. */
async function bindOne({ store, hierarchy }: RootParts, tenantId: TenantId): Promise<boolean> {
  const chain = await hierarchy.masterKeys(SYSTEM_TENANT);
  if (chain.formats.written !== NEWEST_FORMAT) return false;
  const [inUse, before] = await store.transact({ kind: 'system' }, async (unit) => [
    await unit.tenants.roots(),
    await unit.tenants.masterKeyWraps(tenantId),
  ]);
  const wraps: MasterKeyWrap[] = [];
  for (const tmkVersion of new Set(before.map((wrap) => wrap.tmkVersion))) {
    const masterKey = await hierarchy.roots.open(tenantId, tmkVersion, before);
    const bytes = masterKey.key.export();
    try {
      wraps.push(...(await hierarchy.roots.wrap(inUse, tenantId, tmkVersion, bytes, NEWEST_FORMAT)));
    } finally {
      bytes.fill(0);
    }
  }
  // Each wrap has its successor: none is lost, and none stays that opens without the MAC.
  if (!sameNames(before, wraps)) return false;
  return store.transact({ kind: 'system' }, async (unit) => {
    const tenant = await unit.tenants.get(tenantId, { lock: true });
    if (tenant?.state !== 'active' || tenant.mac !== null) return false;
    if (!sameNames(before, await unit.tenants.masterKeyWraps(tenantId))) return false;
    const authority = new TenantAuthority(chain);
    // An optional field in such a row is not of the KMS, and must not get its MAC.
    authority.verify(tenant, true);
    await unit.tenants.bind(authority.sign(tenant), wraps);
    return true;
  });
}

/** Whether the same roots wrap the same versions of a master key. */
function sameNames(a: readonly MasterKeyWrap[], b: readonly MasterKeyWrap[]): boolean {
  const names = (wraps: readonly MasterKeyWrap[]) =>
    wraps.map((wrap) => `${wrap.tmkVersion}:${wrap.providerId}:${wrap.rootCheckValue}`).sort();
  return names(a).join() === names(b).join();
}
