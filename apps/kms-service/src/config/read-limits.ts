import { BOUNDS } from '@qnsp/kms-core';
import { DEFAULT_QUOTAS, type Quotas } from '@qnsp/kms-core/internal';
import type { UnitLimit } from '@qnsp/rate-limits';
import type { Variables } from './variables.ts';

/** What callers are held to, in units of cost. */
export interface LimitsConfig {
  /** Each tenant; default: nothing. */
  readonly tenant: UnitLimit | undefined;
  /** Each credential; default: no more than its tenant and its own rate. */
  readonly credential: UnitLimit | undefined;
  /** Credentials that do not hold, from each address; default: 20 a second, 100 at once. */
  readonly failures: UnitLimit | undefined;
  /** How many of each kind a tenant may have; 0 is any number. */
  readonly quotas: Quotas;
}

const FAILURES: UnitLimit = { perSecond: 20, burst: 100 };
const MOST_UNITS = 1_000_000_000;

export function readLimits(env: Variables): LimitsConfig {
  return {
    tenant: readLimit(env, 'KMS_LIMIT_TENANT_UNITS_PER_SECOND', 'KMS_LIMIT_TENANT_BURST'),
    credential: readLimit(env, 'KMS_LIMIT_CREDENTIAL_UNITS_PER_SECOND', 'KMS_LIMIT_CREDENTIAL_BURST'),
    failures: readLimit(
      env,
      'KMS_LIMIT_FAILED_AUTHENTICATIONS_PER_SECOND',
      'KMS_LIMIT_FAILED_AUTHENTICATIONS_BURST',
      FAILURES,
    ),
    quotas: readQuotas(env),
  };
}

function readQuotas(env: Variables): Quotas {
  const quota = (name: string, preset: number) => env.integer(name, preset, { min: 0, max: BOUNDS.quota.maximum });
  return {
    keys: quota('KMS_LIMIT_TENANT_KEYS', DEFAULT_QUOTAS.keys),
    keyVersions: quota('KMS_LIMIT_KEY_VERSIONS', DEFAULT_QUOTAS.keyVersions),
    tokens: quota('KMS_LIMIT_TENANT_TOKENS', DEFAULT_QUOTAS.tokens),
    identityBindings: quota('KMS_LIMIT_TENANT_IDENTITY_BINDINGS', DEFAULT_QUOTAS.identityBindings),
    operationsPerMonth: env.integer('KMS_LIMIT_TENANT_OPERATIONS_PER_MONTH', DEFAULT_QUOTAS.operationsPerMonth, {
      min: 0,
      max: BOUNDS.operationsPerMonth.maximum,
    }),
    keptAnswers: quota('KMS_LIMIT_TENANT_KEPT_ANSWERS', DEFAULT_QUOTAS.keptAnswers),
  };
}

/** @param preset the limit where nothing is set; default: none */
function readLimit(env: Variables, rateName: string, burstName: string, preset?: UnitLimit): UnitLimit | undefined {
  const perSecond = env.integer(rateName, preset?.perSecond ?? 0, { min: 0, max: MOST_UNITS });
  const isSet = env.text(burstName) !== undefined;
  const burst = env.integer(burstName, burstOf(perSecond, preset), { min: 1, max: MOST_UNITS });
  if (perSecond > 0) return { perSecond, burst };
  if (isSet) env.problem(burstName, `means nothing without ${rateName}: set that too, or unset this`);
  return undefined;
}

/** As many as in a second, or as many more of them as are at once where nothing is set. */
function burstOf(perSecond: number, preset: UnitLimit | undefined): number {
  return preset === undefined ? perSecond : Math.min(MOST_UNITS, perSecond * (preset.burst / preset.perSecond));
}
