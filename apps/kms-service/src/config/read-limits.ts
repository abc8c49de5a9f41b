import type { UnitLimit } from '@qnsp/rate-limits';
import type { Variables } from './variables.ts';

/** What callers are held to, in units of cost. */
export interface LimitsConfig {
  /** Each tenant; default: nothing. */
  readonly tenant: UnitLimit | undefined;
  /** Each credential; default: no more than its tenant and its own rate. */
  readonly credential: UnitLimit | undefined;
}

const MOST_UNITS = 1_000_000_000;

export function readLimits(env: Variables): LimitsConfig {
  return {
    tenant: readLimit(env, 'KMS_LIMIT_TENANT_UNITS_PER_SECOND', 'KMS_LIMIT_TENANT_BURST'),
    credential: readLimit(env, 'KMS_LIMIT_CREDENTIAL_UNITS_PER_SECOND', 'KMS_LIMIT_CREDENTIAL_BURST'),
  };
}

function readLimit(env: Variables, rateName: string, burstName: string): UnitLimit | undefined {
  const perSecond = env.integer(rateName, 0, { min: 0, max: MOST_UNITS });
  const isSet = env.text(burstName) !== undefined;
  const burst = env.integer(burstName, perSecond, { min: 1, max: MOST_UNITS });
  if (perSecond > 0) return { perSecond, burst };
  if (isSet) env.problem(burstName, `means nothing without ${rateName}: set that too, or unset this`);
  return undefined;
}
