import { setImmediate } from 'node:timers/promises';
import { type AuditEvent, KmsError } from '@qnsp/kms-core';
import { GroupCommit } from '@qnsp/kms-audit';
import { retryDelay } from '../src/deliver-due.ts';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { sampleEvent, TENANT } from './audit-samples.ts';

/** A store whose writes end when the test says so. */
function heldStore() {
  const writes: { readonly events: readonly AuditEvent[]; end(error?: Error): void }[] = [];
  return {
    writes,
    append: (events: readonly AuditEvent[]) =>
      new Promise<void>((resolve, reject) => {
        writes.push({ events, end: (error) => (error === undefined ? resolve() : reject(error)) });
      }),
  };
}

function sizesOf({ writes }: ReturnType<typeof heldStore>): number[] {
  return writes.map(({ events }) => events.length);
}

afterEach(() => {
  vi.useRealTimers();
});

describe('group commit', () => {
  test('writes what comes together at once, and answers when it is durable and not before', async () => {
    const store = heldStore();
    const trail = new GroupCommit(store, { maxBacklog: 1000 });
    let answered = 0;
    const recorded = Array.from({ length: 10 }, () => trail.record(sampleEvent()).then(() => (answered += 1)));
    await expect.poll(() => store.writes.length).toBe(1);
    expect(store.writes[0]?.events).toHaveLength(10);
    expect(answered).toBe(0);
    store.writes[0]?.end();
    await Promise.all(recorded);
    expect(answered).toBe(10);
  });

  test('does not wait for more than its largest write', () => {
    const store = heldStore();
    const trail = new GroupCommit(store, { maxBacklog: 1000, maxBatch: 4 });
    for (let count = 0; count < 9; count += 1) void trail.record(sampleEvent());
    expect(sizesOf(store)).toEqual([4, 4]);
  });

  test('writes twice at a time, and what comes meanwhile with the next one, up to 256', async () => {
    const store = heldStore();
    const trail = new GroupCommit(store, { maxBacklog: 1000, patienceMs: 60_000 });
    const recorded: Promise<void>[] = [];
    for (let count = 1; count <= 2; count += 1) {
      recorded.push(trail.record(sampleEvent()));
      await expect.poll(() => sizesOf(store)).toEqual(Array(count).fill(1));
    }
    recorded.push(...Array.from({ length: 40 }, () => trail.record(sampleEvent())));
    await setImmediate();
    expect(sizesOf(store)).toEqual([1, 1]);
    store.writes[1]?.end();
    await expect.poll(() => sizesOf(store)).toEqual([1, 1, 40]);
    recorded.push(...Array.from({ length: 256 }, () => trail.record(sampleEvent())));
    expect(sizesOf(store)).toEqual([1, 1, 40, 256]);
    for (const { end } of store.writes) end();
    await Promise.all(recorded);
  });

  test('does not wait long for a write that hangs', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const store = heldStore();
    const trail = new GroupCommit(store, { maxBacklog: 1000, fewWrites: 1 });
    const first = trail.record(sampleEvent());
    await setImmediate();
    const second = trail.record(sampleEvent());
    await setImmediate();
    vi.advanceTimersByTime(19);
    expect(sizesOf(store)).toEqual([1]);
    vi.advanceTimersByTime(1);
    expect(sizesOf(store)).toEqual([1, 1]);
    store.writes[1]?.end();
    await second;
    store.writes[0]?.end(new Error('it hung'));
    await expect(first).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
  });

  test('never writes more than six times at a time, and drops nothing that waits for that', async () => {
    const store = heldStore();
    const trail = new GroupCommit(store, { maxBacklog: 1000, maxBatch: 2 });
    const recorded = Array.from({ length: 17 }, () => trail.record(sampleEvent()));
    expect(sizesOf(store)).toEqual(Array(6).fill(2));
    const closed = trail.close();
    store.writes[3]?.end();
    await expect.poll(() => store.writes.length).toBe(7);
    for (let index = 0; index < store.writes.length; index += 1) {
      store.writes[index]?.end();
      await setImmediate();
    }
    await Promise.all([closed, ...recorded]);
    expect(sizesOf(store)).toEqual([...Array<number>(8).fill(2), 1]);
  });

  test('fails everybody who waited for a write that failed, and goes on', async () => {
    const store = heldStore();
    const trail = new GroupCommit(store, { maxBacklog: 1000 });
    const [first, second] = [trail.record(sampleEvent()), trail.record(sampleEvent())];
    await expect.poll(() => store.writes.length).toBe(1);
    store.writes[0]?.end(new KmsError('STORE_UNAVAILABLE', 'the database is away'));
    await expect(first).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE', retryAfterSeconds: 1 });
    await expect(second).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
    const third = trail.record(sampleEvent());
    await expect.poll(() => store.writes.length).toBe(2);
    store.writes[1]?.end();
    await expect(third).resolves.toBeUndefined();
  });

  test('refuses what it has no room for, and drops nothing', async () => {
    const store = heldStore();
    const trail = new GroupCommit(store, { maxBacklog: 1000, maxWaiting: 2 });
    const taken = [trail.record(sampleEvent()), trail.record(sampleEvent())];
    expect(() => trail.requireRoom(TENANT)).toThrow('Too many events');
    await expect(trail.record(sampleEvent())).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
    await expect.poll(() => store.writes.length).toBe(1);
    store.writes[0]?.end();
    await Promise.all(taken);
    expect(() => trail.requireRoom(TENANT)).not.toThrow();
  });

  test('refuses operations while too much waits for the audit service', () => {
    const trail = new GroupCommit(heldStore(), { maxBacklog: 1000 });
    trail.setBacklog(999);
    expect(() => trail.requireRoom(TENANT)).not.toThrow();
    trail.setBacklog(1000);
    expect(() => trail.requireRoom(TENANT)).toThrow(KmsError);
    trail.setBacklog(10);
    expect(() => trail.requireRoom(TENANT)).not.toThrow();
  });

  test('leaves room for others when one tenant fills it, in the store and in memory', async () => {
    const [greedy, other] = [TENANT, '0198d2a4-7b1c-7000-8000-0000000000aa'];
    const trail = new GroupCommit(heldStore(), { maxBacklog: 1000, maxWaiting: 20 });
    trail.setBacklog(899, new Map([[greedy, 899]]));
    expect(() => trail.requireRoom(greedy)).not.toThrow();
    trail.setBacklog(
      905,
      new Map([
        [greedy, 900],
        [other, 5],
      ]),
    );
    expect(() => trail.requireRoom(greedy)).toThrow(/of the tenant wait/);
    expect(() => trail.requireRoom(other)).not.toThrow();
    trail.setBacklog(0);
    for (let index = 0; index < 18; index += 1) void trail.record(sampleEvent({ tenantId: greedy }));
    expect(() => trail.requireRoom(greedy)).toThrow('Too many events');
    expect(() => trail.requireRoom(other)).not.toThrow();
  });

  test('gives nobody all of it, however many are greedy, and one alone nine tenths', () => {
    for (const tenants of [1, 2, 5, 20]) {
      const trail = new GroupCommit(heldStore(), { maxBacklog: 10_000 });
      const own = new Map<string, number>();
      let all = 0;
      const isTaken = (tenantId: string) => {
        trail.setBacklog(all, own);
        try {
          trail.requireRoom(tenantId);
          return true;
        } catch {
          return false;
        }
      };
      for (let taken = true; taken; ) {
        taken = false;
        for (let index = 0; index < tenants; index += 1) {
          if (!isTaken(String(index))) continue;
          own.set(String(index), (own.get(String(index)) ?? 0) + 1);
          all += 1;
          taken = true;
        }
      }
      expect(isTaken('somebody else')).toBe(true);
      expect(10_000 - all).toBeGreaterThanOrEqual(Math.floor(10_000 / (9 * tenants + 1)) - tenants);
      if (tenants === 1) expect(all).toBe(9000);
    }
  });

  test('closes when everything is written', async () => {
    const store = heldStore();
    const trail = new GroupCommit(store, { maxBacklog: 1000 });
    const recorded = trail.record(sampleEvent());
    const closed = trail.close();
    expect(store.writes).toHaveLength(1);
    store.writes[0]?.end();
    await closed;
    await recorded;
  });
});

test('the delay between attempts doubles up to a minute, with half of it left to chance', () => {
  expect([0, 1, 2, 3].map((attempts) => retryDelay(attempts, () => 1))).toEqual([0.5, 1, 2, 4]);
  expect(retryDelay(3, () => 0)).toBe(2);
  expect(retryDelay(1000, () => 1)).toBe(60);
});
