import { BOUNDS } from '../bounds/bounds.ts';
import { checkInteger } from '../bounds/check-values.ts';
import { everyTenant } from '../hierarchy/every-tenant.ts';
import { TenantAuthority } from '../hierarchy/tenant-authority.ts';
import { SYSTEM_TENANT, type TenantId } from '../model/identifiers.ts';
import { fieldOf, TENANT_RETIRED_MASTER_KEYS, withField } from '../model/record-fields.ts';
import type { TenantRecord } from '../model/tenant.ts';
import type { UnitOfWork } from '../ports/store.ts';
import { masterKeyCreatedAt, rotateMasterKeyUnattended } from './master-key-rotation.ts';
import type { Operation } from './operation.ts';

/** How master keys are rotated by themselves. */
export interface MasterKeySchedule {
  /** How old one gets, in days; 0 is any age. */
  readonly days: number;
  /** How many are rotated at most in this run. */
  readonly limit: number;
}

/** What one run did. */
export interface DueMasterKeys {
  readonly rotated: number;
  /** Whether more are due. */
  readonly more: boolean;
  /** Tenants whose turn failed; they come up again at the next run. */
  readonly failed: readonly { readonly tenantId: TenantId; readonly error: unknown }[];
}

const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * Rotates the master keys that are due, and forgets what is left of those that were destroyed a day ago. Any number of nodes may do so at
 * once: each tenant is looked at again under its lock.
 */
export async function rotateDueMasterKeys(
  service: Operation,
  { days, limit }: MasterKeySchedule,
  signal: AbortSignal,
): Promise<DueMasterKeys> {
  checkInteger('days', days, 0, BOUNDS.masterKeyDays);
  checkInteger('limit', limit, 1, Number.MAX_SAFE_INTEGER);
  const { kms } = service;
  const failed: { tenantId: TenantId; error: unknown }[] = [];
  let rotated = 0;
  // While nodes of an earlier release are running, all of them would fail.
  const mayRotate = days > 0 && (await kms.hierarchy.masterKeys(SYSTEM_TENANT)).formats.rotatesMasterKeys;
  const isDue = (tenant: TenantRecord) =>
    mayRotate && kms.clock() - masterKeyCreatedAt(tenant).getTime() >= days * DAY_MS;
  for await (const tenant of everyTenant(kms.store)) {
    const { tenantId, state, mac } = tenant;
    if (signal.aborted) break;
    if (tenantId === SYSTEM_TENANT || state !== 'active' || mac === null) continue;
    try {
      if (hasExpired(tenant, kms.clock())) await forgetExpired(service, tenantId);
      if (!isDue(tenant)) continue;
      if (rotated === limit) return { rotated, more: true, failed };
      if (await rotateMasterKeyUnattended(service, tenantId, days * DAY_MS)) rotated += 1;
    } catch (error) {
      // One tenant that cannot be worked on must not keep the others from their turn; the report names it.
      failed.push({ tenantId, error });
    }
  }
  return { rotated, more: false, failed };
}

function hasExpired({ fields }: TenantRecord, now: number): boolean {
  return (fieldOf(fields, TENANT_RETIRED_MASTER_KEYS) ?? []).some(({ until }) => until <= now);
}

/** Removes what is left of master keys that were destroyed so long ago that nothing is under it. */
async function forgetExpired({ kms }: Operation, tenantId: TenantId): Promise<void> {
  const authority = new TenantAuthority(await kms.hierarchy.masterKeys(SYSTEM_TENANT));
  const forget = async (unit: UnitOfWork) => {
    const tenant = await unit.tenants.get(tenantId, { lock: true });
    if (tenant === undefined || tenant.state === 'shredded') return;
    authority.verify(tenant, false);
    const stored = fieldOf(tenant.fields, TENANT_RETIRED_MASTER_KEYS) ?? [];
    const left = stored.filter(({ until }) => until > unit.now.getTime());
    if (left.length === stored.length) return;
    const fields = withField(tenant.fields, TENANT_RETIRED_MASTER_KEYS, left.length === 0 ? undefined : left);
    await unit.tenants.setFields(authority.sign({ ...tenant, fields }));
  };
  try {
    await kms.store.transact({ kind: 'system' }, forget);
  } finally {
    // Even if it failed: the answer to a commit can be lost.
    kms.hierarchy.forget(tenantId);
  }
}
