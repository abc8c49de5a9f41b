export { type LocalLimits, LocalRateLimiter, type UnitLimit } from './local-rate-limiter.ts';
