import * as vitest from 'vitest';
import { BucketLimiter, declareContract, rateLimiterContract } from '../src/testing/index.ts';

declareContract(
  rateLimiterContract('the limiter of the tests', (limit) => {
    let now = 0;
    const limiter = new BucketLimiter(limit, () => now);
    return {
      limiter,
      advance: (milliseconds) => {
        now += milliseconds;
      },
    };
  }),
  vitest,
);
