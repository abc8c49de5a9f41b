import { requireOwnTenant, requirePermission } from '../access/caller.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { checkIdempotency } from '../bounds/check-change.ts';
import { checkId } from '../bounds/check-values.ts';
import { KmsError } from '../errors/kms-error.ts';
import { TenantAuthority } from '../hierarchy/tenant-authority.ts';
import { describeTenant, type MasterKeyDescription, type TenantDetails } from '../model/describe-tenant.ts';
import { SYSTEM_TENANT, type TenantId } from '../model/identifiers.ts';
import { fieldOf, TENANT_MASTER_KEY_CREATED, TENANT_RETIRED_MASTER_KEYS, withField } from '../model/record-fields.ts';
import type { TenantRecord } from '../model/tenant.ts';
import type { UnitOfWork } from '../ports/store.ts';
import { OPERATIONS } from './catalog.ts';
import { ofTenant } from './of-tenant.ts';
import { type Operation, unattended } from './operation.ts';
import { type Approvals, withApprovals } from './require-approval.ts';
import { runOnce } from './run-once.ts';

/** Which tenant is meant. */
export interface NamedTenant {
  readonly tenantId: TenantId;
}

/** The caller's tenant, with how far the rotation of its master key has got. Throws `TENANT_MISMATCH` when the caller is of another tenant. */
export async function getTenant({ kms, caller }: Operation, { tenantId }: NamedTenant): Promise<TenantDetails> {
  requirePermission(caller, OPERATIONS.getTenant.permission);
  checkId('tenantId', tenantId);
  requireOwnTenant(caller, tenantId);
  const authority = new TenantAuthority(await kms.hierarchy.masterKeys(SYSTEM_TENANT));
  return kms.store.transact({ kind: 'tenant', tenantId }, async (unit) => {
    const tenant = await unit.tenants.get(tenantId);
    if (tenant === undefined) throw new KmsError('NOT_FOUND', 'There is no tenant with this id.');
    authority.verify(tenant, true);
    return details(unit, tenant);
  });
}

/**
 * Gives a tenant a new version of its master key, under which everything new is sealed from then on. What is under the earlier ones is sealed
 * again by scheduled work, which then destroys them; both are good until then.
 *
 * @throws KmsError `TENANT_MISMATCH` when the caller is of another tenant; `CONFLICT` when the tenant was shredded, when its master key is
 *   being rotated at the same moment or was too often lately, and while nodes of an earlier release are running; `HSM_UNAVAILABLE` when no
 *   root answers.
 */
export async function rotateMasterKey(op: Operation, { tenantId }: NamedTenant): Promise<TenantDetails> {
  const { caller } = op;
  requirePermission(caller, OPERATIONS.rotateMasterKey.permission);
  checkId('tenantId', tenantId);
  checkIdempotency(op.idempotency);
  requireOwnTenant(caller, tenantId);
  const { approval } = OPERATIONS.rotateMasterKey;
  const rotated = await withApprovals(op, { operation: approval, tenantId, input: { tenantId } }, (approvals) =>
    rotate(op, tenantId, () => true, approvals),
  );
  // It is asked whether to in the same unit, and always answered yes.
  if (rotated === undefined) throw new KmsError('INTERNAL_ERROR', 'The master key was not rotated.');
  return rotated;
}

/** Rotates the master key of a tenant without a caller, where it is still older than that when it is locked. Answers whether it did. */
export async function rotateMasterKeyUnattended(
  service: Operation,
  tenantId: TenantId,
  olderThanMs: number,
): Promise<boolean> {
  const op = unattended(service, 'rotateMasterKey', tenantId);
  const rotated = await rotate(
    op,
    tenantId,
    (tenant, now) => now.getTime() - masterKeyCreatedAt(tenant).getTime() >= olderThanMs,
  );
  return rotated !== undefined;
}

/** When the present version of the master key of a tenant was made. */
export function masterKeyCreatedAt({ fields, createdAt }: TenantRecord): Date {
  return fieldOf(fields, TENANT_MASTER_KEY_CREATED) ?? createdAt;
}

async function rotate(
  op: Operation,
  tenantId: TenantId,
  isNeeded: (tenant: TenantRecord, now: Date) => boolean,
  approvals?: Approvals,
): Promise<TenantDetails | undefined> {
  const { kms } = op;
  const { hierarchy } = kms;
  const chain = await hierarchy.masterKeys(SYSTEM_TENANT);
  if (!chain.formats.rotatesMasterKeys)
    throw new KmsError(
      'CONFLICT',
      'Nodes of an earlier release are running, which could not read what is under the new master key. Ask again when all nodes are of this release.',
    );
  const authority = new TenantAuthority(chain);
  const next = await prepared(() => hierarchy.prepareNextMasterKey(tenantId));
  try {
    return await kms.store.transact({ kind: 'system' }, (unit) =>
      runOnce(ofTenant(op, tenantId), { unit, chain, what: 'rotate-master-key' }, async () => {
        const tenant = tenantId === SYSTEM_TENANT ? undefined : await unit.tenants.get(tenantId, { lock: true });
        if (tenant === undefined) throw new KmsError('NOT_FOUND', 'There is no tenant with this id.');
        authority.verify(tenant, true);
        if (tenant.state === 'shredded') throw new KmsError('CONFLICT', 'The tenant was shredded.');
        if (tenant.mac === null)
          throw new KmsError(
            'CONFLICT',
            'The record of the tenant is of an earlier release, and will soon be of this one.',
          );
        if (!isNeeded(tenant, unit.now)) return undefined;
        await approvals?.spend(unit, 0);
        await requireFewEarlier(unit, tenant);
        const made = next();
        await made.store(unit);
        const changed = authority.sign({
          ...tenant,
          fields: withField(tenant.fields, TENANT_MASTER_KEY_CREATED, unit.now),
        });
        await unit.tenants.setFields(changed);
        await op.evidence?.changed(unit, {
          eventType: OPERATIONS.rotateMasterKey.event,
          resource: { type: 'tenant', id: tenantId, version: null },
          before: { masterKeyVersion: made.version - 1 },
          after: { masterKeyVersion: made.version },
        });
        return details(unit, changed);
      }),
    );
  } finally {
    // Even if it failed: the answer to a commit can be lost.
    hierarchy.forget(tenantId);
  }
}

/** With the present version, which is about to become one. */
async function requireFewEarlier(unit: UnitOfWork, { tenantId, fields }: TenantRecord): Promise<void> {
  const versions = new Set((await unit.tenants.masterKeyWraps(tenantId)).map(({ tmkVersion }) => tmkVersion));
  const retired = (fieldOf(fields, TENANT_RETIRED_MASTER_KEYS) ?? []).filter(({ until }) => until > unit.now.getTime());
  if (versions.size + retired.length > BOUNDS.earlierMasterKeys)
    throw new KmsError(
      'CONFLICT',
      `The master key was rotated ${BOUNDS.earlierMasterKeys} times within about a day, which is as often as it can be.`,
    );
}

/** A call that needs no new version, such as a repeated one, is answered even while none can be made. */
async function prepared<T>(make: () => Promise<T>): Promise<() => T> {
  try {
    const made = await make();
    return () => made;
  } catch (error) {
    if (!KmsError.is(error)) throw error;
    return () => {
      throw error;
    };
  }
}

async function details(unit: UnitOfWork, tenant: TenantRecord): Promise<TenantDetails> {
  return { ...describeTenant(tenant), masterKey: await describeMasterKey(unit, tenant) };
}

/** `null` for a tenant that was shredded. */
async function describeMasterKey(unit: UnitOfWork, tenant: TenantRecord): Promise<MasterKeyDescription | null> {
  const versions = (await unit.tenants.masterKeyWraps(tenant.tenantId)).map(({ tmkVersion }) => tmkVersion);
  if (versions.length === 0) return null;
  const version = Math.max(...versions);
  const { total, left } = await unit.seals.count(tenant.tenantId, version);
  return {
    version,
    oldestVersion: Math.min(...versions),
    createdAt: masterKeyCreatedAt(tenant).toISOString(),
    resealing: { done: total - left, total },
  };
}
