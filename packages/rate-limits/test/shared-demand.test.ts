import type { Identity } from '@qnsp/kms-core';
import { KmsError } from '@qnsp/kms-core/ports';
import { describe, expect, test } from 'vitest';
import { LocalRateLimiter } from '../src/index.ts';
import { SharedDemand } from '../src/shared-demand.ts';

const RATE = 1000;
const STEP_MS = 5;
const CALLER = {
  subject: 'somebody',
  tenantId: '0190a1b2-0000-7000-8000-000000000001',
  permissions: new Set(),
  attributes: { mfa: false },
  credential: 'api-token',
  keys: null,
} satisfies Identity;

/** Nodes that look at each other every second, each at another moment of it, as the database lets them. */
function fleet(size: number) {
  let now = 0;
  const told = new Map<string, string>();
  const make = () =>
    new LocalRateLimiter({ tenant: { perSecond: RATE, burst: 100 }, nodes: () => size, now: () => now });
  const nodes = new Map<string, LocalRateLimiter>(
    Array.from({ length: size }, (_, index) => [`node ${index}`, make()] as const),
  );
  const took = (limiter: LocalRateLimiter) => {
    try {
      limiter.take(CALLER, 'encrypt', 1);
      return 1;
    } catch (error) {
      if (KmsError.is(error)) return 0;
      throw error;
    }
  };
  /** How much is taken in some seconds of load, in calls per second for each node. */
  const run = (seconds: number, load: readonly number[]): number => {
    let taken = 0;
    for (const until = now + seconds * 1000; now < until; now += STEP_MS) {
      [...nodes].forEach(([name, limiter], index) => {
        const calls = Math.round(((load[index] ?? 0) * STEP_MS) / 1000);
        for (let call = 0; call < calls; call += 1) taken += took(limiter);
        if (now % 1000 !== index * 300) return;
        told.set(name, limiter.demand.tell());
        limiter.demand.hear(new Map([...told].filter(([other]) => other !== name)));
      });
    }
    return taken;
  };
  return { run, stop: (name: string) => nodes.delete(name), join: (name: string) => nodes.set(name, make()) };
}

describe('a limit on three nodes', () => {
  test.each([
    ['evenly', [2000, 2000, 2000]],
    ['unevenly', [4000, 800, 200]],
    ['on one node alone', [3000, 0, 0]],
    ['just above what is allowed, on two', [800, 400, 0]],
  ])('is kept to within a tenth over 10 s by load that falls %s', (_how, load) => {
    const { run } = fleet(3);
    run(2, load);
    const taken = run(10, load);
    expect(taken).toBeGreaterThan(0.9 * 10 * RATE);
    expect(taken).toBeLessThan(1.1 * 10 * RATE);
  });

  test('refuses nothing below it once the nodes know where load falls', () => {
    const { run } = fleet(3);
    run(2, [800, 0, 0]);
    expect(run(10, [800, 0, 0])).toBe(8000);
  });

  test('follows load that moves, a node that dies without notice, and one that joins', () => {
    const { run, stop, join } = fleet(3);
    run(3, [3000, 0, 0]);
    run(2, [0, 3000, 0]);
    const moved = run(10, [0, 3000, 0]);
    expect(moved).toBeGreaterThan(0.9 * 10 * RATE);
    expect(moved).toBeLessThan(1.1 * 10 * RATE);
    run(5, [2000, 2000, 2000]);
    stop('node 2');
    // It counts for a few turns, in which the others give out less.
    expect(run(6, [2000, 2000])).toBeLessThan(1.1 * 6 * RATE);
    const without = run(10, [2000, 2000]);
    expect(without).toBeGreaterThan(0.9 * 10 * RATE);
    expect(without).toBeLessThan(1.1 * 10 * RATE);
    join('node 3');
    run(2, [2000, 2000, 2000]);
    const together = run(10, [2000, 2000, 2000]);
    expect(together).toBeGreaterThan(0.9 * 10 * RATE);
    expect(together).toBeLessThan(1.1 * 10 * RATE);
  });
});

test('what nodes tell each other names nobody, is bounded, and is not believed where it says nothing', () => {
  let now = 0;
  const demand = new SharedDemand(
    () => 2,
    () => now,
  );
  for (let name = 0; name < 1000; name += 1) demand.ask(`tenant ${name}`, 1 + name);
  now = 1000;
  const text = demand.tell();
  expect(text).not.toContain('tenant');
  expect(text.length).toBeLessThan(8192);
  // Too soon for another turn.
  expect(demand.tell()).toBe(text);
  for (const nothing of ['', 'x', 'null', '7', '{"turn":1,"asked":{"a":"b"}}', '{"asked":7}']) {
    demand.hear(new Map([['other', nothing]]));
    expect(demand.part('tenant 999'), nothing).toBeCloseTo(1.025 / 1.05, 5);
  }
});
