export { FailedAuthentications, type FailureLimits } from './failed-authentications.ts';
export { type LocalLimits, LocalRateLimiter, type UnitLimit } from './local-rate-limiter.ts';
export type { SharedDemand } from './shared-demand.ts';
