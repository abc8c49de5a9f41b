import type { Quotas } from './quotas.ts';
import {
  fieldOf,
  type RecordField,
  type RecordFields,
  TENANT_BINDINGS,
  TENANT_BURST,
  TENANT_KEPT_ANSWERS,
  TENANT_DESTROY_GUARD,
  TENANT_KEY_VERSIONS,
  TENANT_KEYS,
  TENANT_OPERATIONS,
  TENANT_RATE,
  TENANT_REQUIRE_APPROVAL,
  TENANT_TOKENS,
  withField,
} from './record-fields.ts';

/** What may be taken, in units of cost. */
export interface RateLimit {
  /** 0 is no limit. */
  readonly unitsPerSecond: number;
  /** How many may be taken at once after a pause; 0 where there is no limit. */
  readonly burst: number;
}

/** What the platform set for one tenant, in place of what holds for all; `null` in place of any of it is as for all. */
export interface TenantLimits extends OwnQuotas {
  readonly rate: RateLimit | null;
  /** For how many days after its last use a key is destroyed only by who acknowledges that use; 0 is no guard. */
  readonly destroyGuardDays: number | null;
  /** How many others have to approve what cannot be undone; 0 is nobody. */
  readonly requireApproval: number | null;
}

/** The quotas of a tenant that differ from those of all; 0 is any number. */
export type OwnQuotas = { readonly [Name in keyof Quotas]: Quotas[Name] | null };

const QUOTAS: { readonly [Name in keyof Quotas]: RecordField<number> } = {
  keys: TENANT_KEYS,
  keyVersions: TENANT_KEY_VERSIONS,
  tokens: TENANT_TOKENS,
  identityBindings: TENANT_BINDINGS,
  operationsPerMonth: TENANT_OPERATIONS,
  keptAnswers: TENANT_KEPT_ANSWERS,
};

/** The names of the quotas. */
export const QUOTA_NAMES = Object.keys(QUOTAS) as readonly (keyof Quotas)[];

/** What a record of a tenant says of its limits. */
export function limitsOfTenant({ fields }: { readonly fields: RecordFields }): TenantLimits {
  const unitsPerSecond = fieldOf(fields, TENANT_RATE);
  const rate =
    unitsPerSecond === undefined ? null : { unitsPerSecond, burst: fieldOf(fields, TENANT_BURST) ?? unitsPerSecond };
  const own = (name: keyof Quotas) => fieldOf(fields, QUOTAS[name]) ?? null;
  return {
    rate,
    keys: own('keys'),
    keyVersions: own('keyVersions'),
    tokens: own('tokens'),
    identityBindings: own('identityBindings'),
    operationsPerMonth: own('operationsPerMonth'),
    keptAnswers: own('keptAnswers'),
    destroyGuardDays: fieldOf(fields, TENANT_DESTROY_GUARD) ?? null,
    requireApproval: fieldOf(fields, TENANT_REQUIRE_APPROVAL) ?? null,
  };
}

/** Whether a tenant has no limit of its own. */
export function areAsForAll(limits: TenantLimits): boolean {
  return Object.values(limits).every((limit) => limit === null);
}

/** The quotas of a tenant: its own, and for the rest those of all. */
export function quotasWith(forAll: Quotas, own: OwnQuotas | undefined): Quotas {
  if (own === undefined) return forAll;
  return {
    keys: own.keys ?? forAll.keys,
    keyVersions: own.keyVersions ?? forAll.keyVersions,
    tokens: own.tokens ?? forAll.tokens,
    identityBindings: own.identityBindings ?? forAll.identityBindings,
    operationsPerMonth: own.operationsPerMonth ?? forAll.operationsPerMonth,
    keptAnswers: own.keptAnswers ?? forAll.keptAnswers,
  };
}

/** The fields with other limits; what is absent stays as it is. */
export function withLimits(
  fields: RecordFields,
  { rate, destroyGuardDays, requireApproval, ...quotas }: Partial<TenantLimits>,
): RecordFields {
  let changed = fields;
  if (destroyGuardDays !== undefined) changed = withField(changed, TENANT_DESTROY_GUARD, destroyGuardDays ?? undefined);
  if (requireApproval !== undefined)
    changed = withField(changed, TENANT_REQUIRE_APPROVAL, requireApproval ?? undefined);
  if (rate !== undefined)
    changed = withField(withField(changed, TENANT_RATE, rate?.unitsPerSecond), TENANT_BURST, rate?.burst);
  for (const name of QUOTA_NAMES) {
    const quota = quotas[name];
    if (quota !== undefined) changed = withField(changed, QUOTAS[name], quota ?? undefined);
  }
  return changed;
}
