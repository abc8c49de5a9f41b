import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type KnownRefusal, REFUSAL_REASONS, RefusedTokens } from '../src/exports/internal.ts';

const MINUTE = 60_000;
const owner = (subject: string, tenantId: string) => ({ subject, tenantId });
const refusals: readonly KnownRefusal[] = [
  ...REFUSAL_REASONS.map((refusedFor) => ({ code: 'UNAUTHORIZED', refusedFor }) as const),
  { code: 'TOO_MANY_REQUESTS' },
];

/** Refused credentials by a clock that is moved by hand. */
function byHand() {
  const state = { now: 0 };
  return { state, refused: new RefusedTokens(() => state.now) };
}

describe('what refused credentials leave', () => {
  test.each([
    ['of one credential', (_index: number) => 'orders', 1],
    ['of as many credentials', (index: number) => `orders ${index}`, 20],
  ])(
    'of a flood of 10,000 refusals %s is bounded, and the next event tells of all the others',
    (_of, subject, most) => {
      const { state, refused } = byHand();
      const tenantId = randomUUID();
      const flood = () =>
        Array.from({ length: 10_000 }, (_, index) =>
          refused.takes(owner(subject(index), tenantId), { code: 'UNAUTHORIZED', refusedFor: 'denied' }),
        ).filter((before) => before !== undefined);
      expect(flood()).toEqual(Array.from({ length: most }, () => 0));
      // Others have places of their own, and are not told of them.
      expect(refused.takes(owner('orders', randomUUID()), { code: 'UNAUTHORIZED', refusedFor: 'denied' })).toBe(0);
      state.now += MINUTE;
      expect(flood()).toEqual([10_000 - most, ...Array.from({ length: most - 1 }, () => 0)]);
    },
  );

  test('is one event a minute for each credential and reason, 20 for each tenant, and a count of all others', () => {
    const step = fc.record({
      subject: fc.integer({ min: 0, max: 40 }),
      tenant: fc.integer({ min: 0, max: 1 }),
      refusal: fc.constantFrom(...refusals),
      later: fc.constantFrom(0, 0, 0, 1, 1000, MINUTE / 2, MINUTE),
      isMissed: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const { state, refused } = byHand();
        const all = new Map<number, number>();
        const told = new Map<number, number>();
        const taken: { readonly of: string; readonly at: number; readonly tenant: string }[] = [];
        const add = (counts: Map<number, number>, tenant: number, more: number) =>
          counts.set(tenant, (counts.get(tenant) ?? 0) + more);
        for (const { subject, tenant, refusal, later, isMissed } of steps) {
          state.now += later;
          const who = owner(`${subject}`, `${tenant}`);
          add(all, tenant, 1);
          const before = refused.takes(who, refusal);
          if (before === undefined) continue;
          taken.push({
            of: `${tenant} ${subject} ${refusal.code} ${refusal.refusedFor}`,
            at: state.now,
            tenant: `${tenant} ${refusal.code}`,
          });
          if (isMissed) refused.missed(who, before);
          else add(told, tenant, before + 1);
        }
        for (const { of, at, tenant } of taken) {
          const since = taken.filter((each) => each.at >= at && each.at < at + MINUTE);
          expect(since.filter((each) => each.of === of).length).toBe(1);
          // Two minutes of the tenant's own may begin and end within this one.
          expect(since.filter((each) => each.tenant === tenant).length).toBeLessThanOrEqual(40);
        }
        state.now += MINUTE;
        for (const [tenant, count] of all) {
          const before = refused.takes(owner('the last', `${tenant}`), { code: 'UNAUTHORIZED', refusedFor: 'expired' });
          expect((told.get(tenant) ?? 0) + Number(before)).toBe(count);
        }
      }),
    );
  });
});
