import assert from 'node:assert/strict';
import type { Identity } from '../access/identity.ts';
import { KmsError } from '../errors/kms-error.ts';
import { newId, type TenantId } from '../model/identifiers.ts';
import { type Contract, contractOfTrials } from './contract.ts';
import type { RateLimiter } from '../ports/rate-limiter.ts';

/** A rate limiter under test, with a clock that the test moves. */
export interface LimiterTrial {
  readonly limiter: RateLimiter;
  /** Lets time go by for the limiter. */
  advance(milliseconds: number): void;
}

/** What each tenant may take in these tests: this many units at once, and this many more every second. */
export interface TrialLimit {
  readonly burst: number;
  readonly perSecond: number;
}

const LIMIT: TrialLimit = { burst: 20, perSecond: 4 };

/**
 * What every rate limiter owes. Each works on a clock of the test, so that nothing waits.
 *
 * @param open makes a limiter that nothing was taken from
 */
export function rateLimiterContract(name: string, open: (limit: TrialLimit) => LimiterTrial): Contract {
  return contractOfTrials(name, (rules) => {
    let trial: LimiterTrial;
    const it = (rule: string, check: () => Promise<void>): void => {
      rules.it(rule, async () => {
        trial = open(LIMIT);
        await check();
      });
    };
    const refusal = async (identity: Identity, cost: number, paid?: number): Promise<KmsError | undefined> => {
      try {
        await trial.limiter.take(identity, 'encrypt', cost, paid);
        return undefined;
      } catch (error) {
        if (KmsError.is(error)) return error;
        throw error;
      }
    };

    it('lets the burst through, then refuses, and says what is allowed and when to come again', async () => {
      const caller = someIdentity(newId());
      for (let taken = 0; taken < LIMIT.burst; taken += 1) assert.equal(await refusal(caller, 1), undefined);
      const refused = await refusal(caller, 1);
      assert.equal(refused?.code, 'TOO_MANY_REQUESTS');
      const limit = refused?.details?.['limit'];
      assert.ok(typeof limit === 'number' && limit > 0);
      const wait = refused?.details?.['retryAfter'];
      assert.ok(typeof wait === 'number' && Number.isInteger(wait) && wait >= 1);
      assert.equal(refused?.retryAfterSeconds, wait);
      assert.equal(refused?.details?.['remaining'], 0);
      assert.equal(refused?.details?.['reset'], LIMIT.burst / LIMIT.perSecond);
    });

    it('takes nothing for a call that it refuses', async () => {
      const caller = someIdentity(newId());
      assert.equal(await refusal(caller, LIMIT.burst - 2), undefined);
      for (let round = 0; round < 5; round += 1) assert.notEqual(await refusal(caller, 3), undefined);
      assert.equal(await refusal(caller, 2), undefined);
    });

    it('counts what a call has paid already, and gives it back when the call is refused', async () => {
      const caller = someIdentity(newId());
      assert.equal(await refusal(caller, 4), undefined);
      assert.equal(await refusal(caller, LIMIT.burst, 4), undefined);
      assert.notEqual(await refusal(caller, 1), undefined);
      const other = someIdentity(newId());
      assert.equal(await refusal(other, LIMIT.burst - 2), undefined);
      assert.equal(await refusal(other, 1), undefined);
      assert.notEqual(await refusal(other, 3, 1), undefined);
      assert.equal(await refusal(other, 2), undefined);
      assert.notEqual(await refusal(other, 1), undefined);
    });

    it('lets the same call through after the time that it named, when nothing was taken meanwhile', async () => {
      const caller = someIdentity(newId());
      for (const cost of [1, 3, 7, LIMIT.burst]) {
        while ((await refusal(caller, 1)) === undefined);
        const refused = await refusal(caller, cost);
        trial.advance((refused?.retryAfterSeconds ?? 0) * 1000);
        assert.equal(await refusal(caller, cost), undefined, `cost ${cost}`);
      }
    });

    it('counts tenants apart', async () => {
      const greedy = someIdentity(newId());
      while ((await refusal(greedy, 1)) === undefined);
      assert.equal(await refusal(someIdentity(newId()), LIMIT.burst), undefined);
      assert.notEqual(await refusal(greedy, 1), undefined);
    });

    it('gives out no more than the burst and the rate allow, and about as much, however calls are spread', async () => {
      const caller = someIdentity(newId());
      const steps = [10, 250, 40, 900, 5, 1500, 130, 60, 3000, 700];
      let elapsed = 0;
      let taken = 0;
      for (let round = 0; round < 200; round += 1) {
        const cost = 1 + (round % 3);
        if ((await refusal(caller, cost)) === undefined) taken += cost;
        const step = steps[round % steps.length] ?? 0;
        if (round % 7 === 0) while ((await refusal(caller, 1)) === undefined) taken += 1;
        trial.advance(step);
        elapsed += step;
      }
      while ((await refusal(caller, 1)) === undefined) taken += 1;
      const allowed = LIMIT.burst + (LIMIT.perSecond * elapsed) / 1000;
      assert.ok(taken <= allowed + 1e-6);
      assert.ok(taken > LIMIT.burst);
    });

    it('saves up no more than the burst', async () => {
      const caller = someIdentity(newId());
      trial.advance(3_600_000);
      assert.equal(await refusal(caller, 1), undefined);
      trial.advance(3_600_000);
      let taken = 0;
      while ((await refusal(caller, 1)) === undefined) taken += 1;
      assert.equal(taken, LIMIT.burst);
    });
  });
}

function someIdentity(tenantId: TenantId): Identity {
  return {
    subject: newId(),
    tenantId,
    permissions: new Set(),
    attributes: { mfa: false },
    credential: 'api-token',
    keys: null,
  };
}
