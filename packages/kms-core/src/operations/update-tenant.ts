import { requirePermission } from '../access/caller.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { checkIdempotency } from '../bounds/check-change.ts';
import { checkId, checkInteger } from '../bounds/check-values.ts';
import { badRequest, KmsError } from '../errors/kms-error.ts';
import { fieldFacts } from '../evidence/field-facts.ts';
import { TenantAuthority } from '../hierarchy/tenant-authority.ts';
import { describeTenant, type TenantDescription } from '../model/describe-tenant.ts';
import { SYSTEM_TENANT, type TenantId } from '../model/identifiers.ts';
import { KNOWN_FIELDS } from '../model/record-fields.ts';
import type { Quotas } from '../model/quotas.ts';
import { limitsOfTenant, type OwnQuotas, QUOTA_NAMES, type TenantLimits, withLimits } from '../model/tenant-limits.ts';
import { OPERATIONS } from './catalog.ts';
import { ofTenant } from './of-tenant.ts';
import type { KmsSettings } from './kms.ts';
import type { Operation } from './operation.ts';
import { type Approvals, withApprovals } from './require-approval.ts';
import { runOnce } from './run-once.ts';

/** What a tenant is to have of its own; what is absent stays as it is. */
export interface UpdateTenantInput {
  readonly tenantId: TenantId;
  readonly limits?: LimitsChange;
}

/** Other limits of a tenant; `null` in place of one of them is as for all tenants. */
export interface LimitsChange extends Partial<OwnQuotas> {
  readonly rate?: RateChange | null;
  /** In days; 0 is no guard. */
  readonly destroyGuardDays?: number | null;
  /** How many others have to approve what cannot be undone; 0 is nobody. */
  readonly requireApproval?: number | null;
}

/** How many units of cost a tenant may take. */
export interface RateChange {
  /** 0 is no limit. */
  readonly unitsPerSecond: number;
  /** How many at once after a pause; default: as many as in a second. */
  readonly burst?: number;
}

/** Changes the limits of a tenant. Every node keeps to them within a second. */
export async function updateTenant(op: Operation, input: UpdateTenantInput): Promise<TenantDescription> {
  const { kms, caller } = op;
  requirePermission(caller, OPERATIONS.updateTenant.permission);
  checkId('tenantId', input.tenantId);
  checkIdempotency(op.idempotency);
  const limits = checkedLimits(input.limits);
  const { tenantId } = input;
  const chain = await kms.hierarchy.masterKeys(SYSTEM_TENANT);
  const authority = new TenantAuthority(chain);
  try {
    const update = (approvals: Approvals) =>
      kms.store.transact({ kind: 'system' }, (unit) =>
        runOnce(ofTenant(op, tenantId), { unit, chain, what: 'update-tenant' }, async () => {
          const found = tenantId === SYSTEM_TENANT ? undefined : await unit.tenants.get(tenantId, { lock: true });
          if (found === undefined) throw new KmsError('NOT_FOUND', 'There is no tenant with this id.');
          authority.verify(found, true);
          if (found.state === 'shredded') throw new KmsError('CONFLICT', 'The tenant is shredded.');
          if (found.mac === null)
            throw new KmsError(
              'CONFLICT',
              'The record of the tenant is of an earlier release, and will soon be of this one.',
            );
          const changed = authority.sign({ ...found, fields: withLimits(found.fields, limits) });
          if (weakens(kms.settings, limitsOfTenant(found), limitsOfTenant(changed))) await approvals.spend(unit, 0);
          await unit.tenants.setFields(changed);
          await op.evidence?.changed(unit, {
            eventType: OPERATIONS.updateTenant.event,
            resource: { type: 'tenant', id: tenantId, version: null },
            before: fieldFacts(found.fields, KNOWN_FIELDS.tenant),
            after: fieldFacts(changed.fields, KNOWN_FIELDS.tenant),
          });
          return describeTenant(changed);
        }),
      );
    return await withApprovals(op, { operation: 'updateTenant', tenantId, input }, update);
  } finally {
    // Whatever is known of its credentials here was known with the limits from before.
    kms.tokens.forgetTenant(tenantId);
    kms.identities.forgetTenant(tenantId);
    kms.quotas.forgetTenant(tenantId);
  }
}

/** Whether less protects the keys of the tenant than before: that takes what it is protected by. */
function weakens(forAll: KmsSettings, before: TenantLimits, after: TenantLimits): boolean {
  return SAFEGUARDS.some((name) => (after[name] ?? forAll[name] ?? 0) < (before[name] ?? forAll[name] ?? 0));
}

function checkedLimits(limits: LimitsChange | undefined): Partial<TenantLimits> {
  if (limits === undefined) return {};
  if (typeof limits !== 'object' || limits === null) throw badRequest('limits', 'must be an object');
  return { ...checkedQuotas(limits), ...checkedRate(limits), ...checkedSafeguards(limits) };
}

function checkedQuotas(limits: LimitsChange): Partial<OwnQuotas> {
  const changed: Partial<Record<keyof Quotas, number | null>> = {};
  for (const name of QUOTA_NAMES) {
    const quota = limits[name];
    if (quota === undefined) continue;
    const { minimum, maximum } = name === 'operationsPerMonth' ? BOUNDS.operationsPerMonth : BOUNDS.quota;
    if (quota !== null) checkInteger(`limits.${name}`, quota, minimum, maximum);
    changed[name] = quota;
  }
  return changed;
}

const SAFEGUARDS = ['destroyGuardDays', 'requireApproval'] as const;
type Safeguard = (typeof SAFEGUARDS)[number];

function checkedSafeguards(limits: LimitsChange): Partial<Pick<TenantLimits, Safeguard>> {
  const changed: Partial<Record<Safeguard, number | null>> = {};
  for (const name of SAFEGUARDS) {
    const asked = limits[name];
    if (asked === undefined) continue;
    if (asked !== null) checkInteger(`limits.${name}`, asked, BOUNDS[name].minimum, BOUNDS[name].maximum);
    changed[name] = asked;
  }
  return changed;
}

function checkedRate({ rate }: LimitsChange): Partial<Pick<TenantLimits, 'rate'>> {
  if (rate === undefined || rate === null) return rate === null ? { rate } : {};
  if (typeof rate !== 'object') throw badRequest('limits.rate', 'must be an object, or null');
  const { unitsPerSecond, burst } = rate;
  const { minimum, maximum } = BOUNDS.tenantRate;
  checkInteger('limits.rate.unitsPerSecond', unitsPerSecond, minimum, maximum);
  if (burst !== undefined) checkInteger('limits.rate.burst', burst, 1, maximum);
  if (unitsPerSecond === 0 && burst !== undefined)
    throw badRequest(
      'limits.rate.burst',
      'means nothing without a limit: leave it out, or limit the units in a second',
    );
  return { rate: { unitsPerSecond, burst: burst ?? unitsPerSecond } };
}
