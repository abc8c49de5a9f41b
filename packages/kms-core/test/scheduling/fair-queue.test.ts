import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairQueue, type Queued } from '../../src/scheduling/fair-queue.ts';

type Step =
  | { readonly kind: 'push'; readonly owner: string; readonly units: number }
  /** One that runs, or that waits, by its place among those. */
  | { readonly kind: 'done' | 'leave'; readonly which: number };

const OWNERS = ['a', 'b', 'c', 'd'];

const steps = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('push' as const),
        owner: fc.constantFrom(...OWNERS),
        units: fc.constantFrom(1, 13, 95, 530, 57_000, 170_000),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('done' as const), which: fc.nat(20) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('leave' as const), which: fc.nat(20) }) },
  ),
  { maxLength: 120, size: 'max' },
);

/** Who is let out while one waits who had nothing waiting or running when it came. */
interface Newcomer {
  readonly passedBy: Map<string, number>;
}

/** Does some steps with a few places, letting out what is next as long as there is one; tells of each that is let out. */
function walk(
  places: number,
  made: readonly Step[],
  onOut: (out: Queued<number>, state: { running: Queued<number>[]; waiting: Queued<number>[] }) => void,
): { readonly out: Queued<number>[]; readonly left: Queued<number>[]; readonly newcomers: Map<number, Newcomer> } {
  const queue = new FairQueue<number>();
  const running: Queued<number>[] = [];
  const waiting: Queued<number>[] = [];
  const out: Queued<number>[] = [];
  const left: Queued<number>[] = [];
  const newcomers = new Map<number, Newcomer>();
  let ids = 0;
  for (const step of made) {
    if (step.kind === 'push') {
      const isNew = ![...running, ...waiting].some(({ owner }) => owner === step.owner);
      if (isNew) newcomers.set(ids, { passedBy: new Map() });
      waiting.push(queue.push(step.owner, step.units, ids++));
    } else if (step.kind === 'done') {
      const [done] = running.splice(step.which % Math.max(1, running.length), 1);
      if (done !== undefined) queue.done(done);
    } else {
      const [gone] = waiting.splice(step.which % Math.max(1, waiting.length), 1);
      if (gone !== undefined) {
        expect(queue.leave(gone)).toBe(true);
        expect(queue.leave(gone)).toBe(false);
        left.push(gone);
      }
    }
    while (running.length < places) {
      const next = queue.next();
      if (next === undefined) break;
      onOut(next, { running, waiting });
      waiting.splice(waiting.indexOf(next), 1);
      for (const { item } of waiting) {
        const passedBy = newcomers.get(item)?.passedBy;
        passedBy?.set(next.owner, (passedBy.get(next.owner) ?? 0) + 1);
      }
      running.push(next);
      out.push(next);
    }
    expect(queue.length).toBe(waiting.length);
    for (const owner of OWNERS)
      expect(queue.waitingOf(owner)).toBe(waiting.filter((each) => each.owner === owner).length);
    // A place is free only when nothing waits.
    expect(running.length === places || waiting.length === 0).toBe(true);
  }
  return { out, left, newcomers };
}

const runs = { numRuns: 100 };
const places = fc.integer({ min: 1, max: 4 });

describe('a queue in fair shares', () => {
  it('delays nobody who had nothing to do by more than one of each other owner', () => {
    fc.assert(
      fc.property(places, steps, (count, made) => {
        const { newcomers } = walk(count, made, () => undefined);
        for (const { passedBy } of newcomers.values())
          for (const times of passedBy.values()) expect(times).toBeLessThanOrEqual(1);
      }),
      runs,
    );
  });

  it('gives nobody a second place while somebody without one waits', () => {
    fc.assert(
      fc.property(places, steps, (count, made) => {
        walk(count, made, ({ owner }, { running, waiting }) => {
          const placesOf = (who: string) => running.filter((each) => each.owner === who).length;
          for (const other of waiting) expect(placesOf(owner)).toBeLessThanOrEqual(placesOf(other.owner));
        });
      }),
      runs,
    );
  });

  it('lets out everything once, in the order in which its owner came, and nothing that left', () => {
    fc.assert(
      fc.property(places, steps, (count, made) => {
        const { out, left } = walk(count, made, () => undefined);
        expect(new Set(out).size).toBe(out.length);
        for (const gone of left) expect(out).not.toContain(gone);
        for (const owner of OWNERS) {
          const order = out.filter((each) => each.owner === owner).map(({ item }) => item);
          expect(order).toEqual(order.toSorted((one, other) => one - other));
        }
      }),
      runs,
    );
  });

  it('gives owners who always have something waiting the same number of units, to within one', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(1, 95, 530, 57_000), { minLength: 2, maxLength: 4 }), (each) => {
        const queue = new FairQueue<number>();
        const taken = each.map(() => 0);
        each.forEach((units, owner) => [0, 1].forEach(() => queue.push(String(owner), units, owner)));
        for (let turn = 0; turn < 600; turn += 1) {
          const next = queue.next();
          if (next === undefined) throw new Error('nothing waits');
          taken[next.item] = (taken[next.item] ?? 0) + next.units;
          queue.push(next.owner, next.units, next.item);
          queue.done(next);
          expect(Math.max(...taken) - Math.min(...taken)).toBeLessThanOrEqual(Math.max(...each));
        }
      }),
      { numRuns: 50 },
    );
  });

  it('takes turns among those who have taken the same', () => {
    const queue = new FairQueue<string>();
    for (const owner of ['a', 'a', 'a', 'b', 'b', 'b', 'c', 'c', 'c']) queue.push(owner, 10, owner);
    const order = Array.from({ length: 9 }, () => {
      const next = queue.next();
      if (next !== undefined) queue.done(next);
      return next?.item;
    });
    expect(order.join('')).toBe('abcabcabc');
  });

  it('saves nothing up for those who do nothing', () => {
    const queue = new FairQueue<string>();
    const letOut = () => {
      const next = queue.next();
      if (next !== undefined) queue.done(next);
      return next?.item;
    };
    for (let index = 0; index < 100; index += 1) queue.push('busy', 500, 'busy');
    for (let index = 0; index < 50; index += 1) letOut();
    for (let index = 0; index < 5; index += 1) queue.push('late', 500, 'late');
    const order = Array.from({ length: 10 }, letOut);
    expect(order.filter((owner) => owner === 'late')).toHaveLength(5);
    expect(order.slice(0, 4).filter((owner) => owner === 'late')).toHaveLength(2);
  });

  it('knows who has most waiting, and what came last of it', () => {
    const queue = new FairQueue<number>();
    expect(queue.longest()).toBeUndefined();
    queue.push('a', 1, 1);
    queue.push('b', 1, 2);
    const newest = queue.push('b', 1, 3);
    expect(queue.longest()).toEqual({ owner: 'b', length: 2, newest });
  });
});
