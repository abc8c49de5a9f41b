import type { Identity } from '@qnsp/kms-core';
import { KmsError, newId } from '@qnsp/kms-core/ports';
import { declareContract, rateLimiterContract } from '@qnsp/kms-core/testing';
import * as vitest from 'vitest';
import { describe, expect, test } from 'vitest';
import { type LocalLimits, LocalRateLimiter } from '../src/index.ts';

declareContract(
  rateLimiterContract('the local limiter', (tenant) => {
    let now = 0;
    const limiter = new LocalRateLimiter({ tenant, now: () => now });
    return {
      limiter,
      advance: (milliseconds) => {
        now += milliseconds;
      },
    };
  }),
  vitest,
);

const clock = { now: 0 };

function limiterOf(limits: LocalLimits): LocalRateLimiter {
  return new LocalRateLimiter({ now: () => clock.now, ...limits });
}

function somebody(more: Partial<Identity> = {}): Identity {
  const id = newId();
  return {
    subject: id,
    tokenId: id,
    tenantId: newId(),
    permissions: new Set(),
    attributes: { mfa: false },
    credential: 'api-token',
    keys: null,
    ...more,
  };
}

/** Whether it was let through. */
function asks(limiter: LocalRateLimiter, identity: Identity, cost = 1, paid?: number): boolean {
  try {
    limiter.take(identity, 'encrypt', cost, paid);
    return true;
  } catch (error) {
    expect(error).toSatisfy((one) => KmsError.is(one) && one.code === 'TOO_MANY_REQUESTS');
    return false;
  }
}

function takeAll(limiter: LocalRateLimiter, identity: Identity): number {
  let taken = 0;
  while (asks(limiter, identity)) taken += 1;
  return taken;
}

describe('over 10 s with twice as much demand as is allowed', () => {
  /** What limiters that share a limit let through in 10 s, each asked in turn for calls of several costs. */
  function through(limiters: readonly LocalRateLimiter[], perSecond: number): number {
    const caller = somebody();
    const costs = [1, 1, 10, 1, 1, 1];
    // What was saved up before is not what is measured.
    for (const limiter of limiters) takeAll(limiter, caller);
    let taken = 0;
    let asked = 0;
    for (let turn = 0; asked < 2 * perSecond * 10; turn += 1) {
      const cost = costs[turn % costs.length] ?? 1;
      const limiter = limiters[Math.floor(turn / costs.length) % limiters.length];
      if (limiter !== undefined && asks(limiter, caller, cost)) taken += cost;
      asked += cost;
      clock.now += (cost / (2 * perSecond)) * 1000;
    }
    return taken;
  }

  test.each([1, 3])('%i nodes together give out the limit to within 10 %%', (count) => {
    const perSecond = 3000;
    const limits = { tenant: { perSecond, burst: 300 }, nodes: () => count };
    const limiters = Array.from({ length: count }, () => limiterOf(limits));
    const taken = through(limiters, perSecond);
    expect(taken).toBeGreaterThan(perSecond * 10 * 0.9);
    expect(taken).toBeLessThan(perSecond * 10 * 1.1);
  });
});

describe('the number of nodes', () => {
  test('counts from the next call on, for what is saved up as for what comes', () => {
    let nodes = 1;
    const limiter = limiterOf({ tenant: { perSecond: 100, burst: 60 }, nodes: () => nodes });
    const caller = somebody();
    nodes = 3;
    expect(takeAll(limiter, caller)).toBe(20);
    clock.now += 300;
    expect(takeAll(limiter, caller)).toBe(10);
    nodes = 1;
    clock.now += 300;
    expect(takeAll(limiter, caller)).toBe(30);
  });
});

describe('a call of which a part was paid before', () => {
  test.each(['tenant', 'credential'] as const)('is taken once from the limit of the %s', (kind) => {
    const limiter = limiterOf({ [kind]: { perSecond: 10, burst: 100 } });
    const caller = somebody();
    expect([asks(limiter, caller, 10), asks(limiter, caller, 60, 10)]).toEqual([true, true]);
    expect([asks(limiter, caller, 41), asks(limiter, caller, 40)]).toEqual([false, true]);
  });

  test('is asked for once, as the other nodes are told', () => {
    const limit = { perSecond: 1000, burst: 1000 };
    const limiter = limiterOf({ tenant: limit, credential: limit });
    const caller = somebody();
    expect([asks(limiter, caller, 10), asks(limiter, caller, 60, 10)]).toEqual([true, true]);
    clock.now += 1000;
    const { asked } = JSON.parse(limiter.demand.tell()) as { readonly asked: Readonly<Record<string, number>> };
    expect(Object.values(asked)).toEqual([60, 60]);
  });
});

test('a credential with a rate of its own has no larger burst than all have', () => {
  const limiter = limiterOf({ credential: { perSecond: 1000, burst: 20 } });
  expect(takeAll(limiter, somebody({ rate: 50 }))).toBe(20);
});

test('nothing is left of a burst that was exceeded', () => {
  const limiter = limiterOf({ tenant: { perSecond: 10, burst: 20 } });
  const caller = somebody();
  limiter.take(caller, 'sign', 30);
  expect(() => limiter.take(caller, 'sign', 1)).toThrow(
    expect.objectContaining({ details: { limit: 20, remaining: 0, reset: 3, retryAfter: 2 } }),
  );
});

describe('a refused call', () => {
  test('takes nothing from either limit, whichever refuses it', () => {
    const kinds: string[] = [];
    const limiter = limiterOf({
      tenant: { perSecond: 10, burst: 100 },
      credential: { perSecond: 10, burst: 60 },
      onRefused: (kind) => kinds.push(kind),
    });
    const one = somebody();
    const other = somebody({ tenantId: one.tenantId });
    expect(asks(limiter, one, 50)).toBe(true);
    // Of its own limit 10 are left, of that of the tenant 50.
    expect(asks(limiter, one, 20)).toBe(false);
    expect(asks(limiter, other, 60)).toBe(false);
    expect(asks(limiter, other, 50)).toBe(true);
    clock.now += 1000;
    expect(asks(limiter, one, 15)).toBe(false);
    expect(asks(limiter, one, 10)).toBe(true);
    expect(kinds).toEqual(['credential', 'tenant', 'tenant']);
  });

  test('says of which limit it would have been too much, and what is left of that', () => {
    const limiter = limiterOf({ tenant: { perSecond: 10, burst: 100 }, nodes: () => 2 });
    const caller = somebody();
    limiter.take(caller, 'sign', 45);
    try {
      limiter.take(caller, 'sign', 20);
      expect.unreachable();
    } catch (error) {
      // Of the half that is this node's, a tenth is left; 15 more come at 5 in a second.
      expect(error).toMatchObject({
        retryAfterSeconds: 3,
        details: { limit: 100, remaining: 10, reset: 9, retryAfter: 3 },
      });
    }
  });
});

describe('a call that costs more than a whole burst', () => {
  test('is let through when nothing is missing, and paid off before the next', () => {
    const limiter = limiterOf({ tenant: { perSecond: 10, burst: 100 } });
    const caller = somebody();
    expect(asks(limiter, caller, 1)).toBe(true);
    expect(asks(limiter, caller, 1000)).toBe(false);
    clock.now += 100;
    expect(asks(limiter, caller, 1000)).toBe(true);
    clock.now += 90_000;
    expect(asks(limiter, caller, 1)).toBe(false);
    clock.now += 100;
    expect(asks(limiter, caller, 1)).toBe(true);
  });

  test('is so when it pays in two steps', () => {
    const limiter = limiterOf({ tenant: { perSecond: 10, burst: 100 } });
    const caller = somebody();
    expect(asks(limiter, caller, 10)).toBe(true);
    expect(asks(limiter, caller, 1000, 10)).toBe(true);
    expect(asks(limiter, caller, 1)).toBe(false);
  });
});

describe('the rate of a credential', () => {
  test('holds where nothing else does, and never exceeds what holds for all', () => {
    const caller = somebody({ rate: 20 });
    expect(takeAll(limiterOf({}), caller)).toBe(20);
    expect(takeAll(limiterOf({ credential: { perSecond: 5, burst: 8 } }), caller)).toBe(8);
    expect(takeAll(limiterOf({ credential: { perSecond: 50, burst: 80 } }), caller)).toBe(20);
    expect(takeAll(limiterOf({ tenant: { perSecond: 5, burst: 8 } }), caller)).toBe(8);
  });

  test('holds for all tokens that replaced one another, and for each of the others alone', () => {
    const limiter = limiterOf({});
    const first = somebody({ rate: 20 });
    expect(takeAll(limiter, first)).toBe(20);
    expect(asks(limiter, { ...first, tokenId: newId() })).toBe(false);
    expect(asks(limiter, somebody({ rate: 20, tenantId: first.tenantId }))).toBe(true);
  });

  test('is one of each tenant where an issuer names the same caller for several', () => {
    const limiter = limiterOf({ credential: { perSecond: 5, burst: 8 } });
    const { tokenId: _, ...named } = somebody({ subject: 'https://issuer.example#job', credential: 'jwt' });
    expect(takeAll(limiter, named)).toBe(8);
    expect(takeAll(limiter, { ...named, tenantId: newId() })).toBe(8);
  });
});

describe('credentials of the platform', () => {
  test('are held to the limits of credentials alone', () => {
    const platform = somebody({ tenantId: null });
    expect(asks(limiterOf({ tenant: { perSecond: 1, burst: 1 } }), platform, 1000)).toBe(true);
    expect(takeAll(limiterOf({ credential: { perSecond: 5, burst: 8 } }), platform)).toBe(8);
  });
});
