import { requireOwnTenant, requirePermission } from '../access/caller.ts';
import { checkId } from '../bounds/check-values.ts';
import { KmsError } from '../errors/kms-error.ts';
import type { TenantId } from '../model/identifiers.ts';
import type { RateLimit } from '../model/tenant-limits.ts';
import { authenticLimits } from '../keyring/own-limits.ts';
import { OPERATIONS } from './catalog.ts';
import type { Operation } from './operation.ts';

/** How much there is of something, and how much there may be. */
export interface UsageOfQuota {
  readonly used: number;
  /** `null` is any number. */
  readonly maximum: number | null;
}

/** What a tenant has of what it may have only so much of. */
export interface TenantUsageDescription {
  readonly tenantId: TenantId;
  /** How much it may take in a second and at once, in units of cost; `null` where it is held to nothing. */
  readonly rate: RateLimit | null;
  /** Keys that are not destroyed. */
  readonly keys: UsageOfQuota;
  /** Of each of its keys, which says itself how many it has. */
  readonly keyVersions: { readonly maximum: number | null };
  /** API tokens that were neither revoked nor replaced, and have not expired. */
  readonly tokens: UsageOfQuota;
  readonly identityBindings: UsageOfQuota;
  /** Operations that used a key since the first of the month, in UTC; the newest ones of other nodes may be missing. */
  readonly operationsThisMonth: number;
  readonly operationsPerMonth: { readonly maximum: number | null };
  /** Answers that are kept under idempotency keys, each for a day. */
  readonly keptAnswers: UsageOfQuota;
}

/** What the caller's tenant uses of each of its limits. */
export async function tenantUsage(
  { kms, caller }: Operation,
  input: { readonly tenantId: TenantId },
): Promise<TenantUsageDescription> {
  requirePermission(caller, OPERATIONS.getTenantUsage.permission);
  checkId('tenantId', input.tenantId);
  const { tenantId } = input;
  requireOwnTenant(caller, tenantId);
  const quotas = await kms.quotas.of(tenantId);
  const { tenant, used } = await kms.store.transact({ kind: 'tenant', tenantId }, async (unit) => {
    const found = await unit.tenants.get(tenantId);
    if (found === undefined) throw new KmsError('NOT_FOUND', 'There is no tenant with this id.');
    return { tenant: found, used: await unit.tenants.usage(tenantId) };
  });
  const own = await authenticLimits(kms.hierarchy, tenant);
  const rate = own?.rate ?? kms.settings.tenantRate ?? null;
  return {
    tenantId,
    rate: rate?.unitsPerSecond === 0 ? null : rate,
    keys: { used: used.keys, maximum: maximumOf(quotas.keys) },
    keyVersions: { maximum: maximumOf(quotas.keyVersions) },
    tokens: { used: used.tokens, maximum: maximumOf(quotas.tokens) },
    identityBindings: { used: used.identityBindings, maximum: maximumOf(quotas.identityBindings) },
    operationsThisMonth: used.operationsThisMonth + kms.counter.pending(tenantId),
    operationsPerMonth: { maximum: maximumOf(quotas.operationsPerMonth) },
    keptAnswers: { used: used.keptAnswers, maximum: maximumOf(quotas.keptAnswers) },
  };
}

function maximumOf(quota: number): number | null {
  return quota === 0 ? null : quota;
}
