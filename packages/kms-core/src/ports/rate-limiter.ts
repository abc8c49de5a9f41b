import type { Identity } from '../access/identity.ts';
import type { MaybePromise } from '../base/maybe-promise.ts';

/** What a call was refused with: `TOO_MANY_REQUESTS` has these details. */
export interface RateLimitDetails {
  /** How many units of cost may be taken at once by one who has taken nothing for a while. */
  readonly limit: number;
  /** How many of them are left: fewer than the call costs. */
  readonly remaining: number;
  /** Whole seconds after which all of them are there again, when nothing else is taken. */
  readonly reset: number;
  /** Whole seconds, at least one, after which the same call has a chance; `retryAfterSeconds` of the error as well. */
  readonly retryAfter: number;
}

/** Holds callers to what they may take from others. Contract (`testing/rate-limiter-contract.ts`). */
export interface RateLimiter {
  /**
   * Whether callers are held to anything of which their identity says nothing. While they are not, those without a `rate` and without
   * `tenantLimits` need not be asked for.
   */
  readonly limitsAll: boolean;
  /**
   * Takes what a call costs, before it is done. Without a promise where that is decided in memory. What is refused takes
   * nothing.
   *
   * @param operation the id of the operation, as evidence names it
   * @param cost units, above zero; one is the work of the cheapest call
   * @param paid how many of them the same call has taken already, before all was known of it; default: none. They are given back
   *   when it is refused.
   * @throws KmsError `TOO_MANY_REQUESTS` with {@link RateLimitDetails}
   */
  take(identity: Identity, operation: string, cost: number, paid?: number): MaybePromise<void>;
}
