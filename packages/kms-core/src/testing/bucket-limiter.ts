import type { Identity } from '../access/identity.ts';
import { KmsError } from '../errors/kms-error.ts';
import type { RateLimiter } from '../ports/rate-limiter.ts';
import type { TrialLimit } from './rate-limiter-contract.ts';

interface Bucket {
  units: number;
  filledAt: number;
}

/** A rate limiter for tests: a bucket for each tenant, in memory and on a clock that is handed in. It never forgets a tenant. */
export class BucketLimiter implements RateLimiter {
  readonly limitsAll = true;
  readonly #buckets = new Map<string, Bucket>();
  readonly #limit: TrialLimit;
  readonly #now: () => number;

  constructor(limit: TrialLimit, now: () => number) {
    this.#limit = limit;
    this.#now = now;
  }

  take({ tenantId }: Identity, operation: string, cost: number, paid = 0): void {
    const { burst, perSecond } = this.#limit;
    const now = this.#now();
    const bucket = this.#buckets.get(tenantId ?? '') ?? { units: burst, filledAt: now };
    bucket.units = Math.min(burst, bucket.units + paid + ((now - bucket.filledAt) / 1000) * perSecond);
    bucket.filledAt = now;
    this.#buckets.set(tenantId ?? '', bucket);
    if (bucket.units < cost) {
      const retryAfter = Math.max(1, Math.ceil((cost - bucket.units) / perSecond));
      throw new KmsError('TOO_MANY_REQUESTS', `Too many calls of ${operation}: try again in ${retryAfter} s.`, {
        details: {
          limit: burst,
          remaining: Math.floor(bucket.units),
          reset: Math.ceil((burst - bucket.units) / perSecond),
          retryAfter,
        },
        retryAfterSeconds: retryAfter,
      });
    }
    bucket.units -= cost;
  }
}
