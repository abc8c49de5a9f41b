import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  establishRoots,
  initRoots,
  KeyHierarchy,
  type RootProvider,
  SYSTEM_TENANT,
  softwareRoot,
} from '../src/exports/internal.ts';
import { inMemoryStore, type InMemoryStore, SYSTEM } from '../src/testing/index.ts';

let store: InMemoryStore;
/** The root that an HSM holds, which several nodes reach. */
let held: RootProvider | undefined;
let made: number;

beforeEach(() => {
  vi.useFakeTimers();
  store = inMemoryStore();
  held = undefined;
  made = 0;
});
afterEach(() => {
  vi.useRealTimers();
});

/** A node whose HSM takes its time; `dies` never comes to an end. */
function node(takesMs: number, dies = false): () => Promise<boolean> {
  const present = (): RootProvider => {
    if (held === undefined) throw new Error('there is no root');
    return held;
  };
  const root: RootProvider = {
    id: 'hsm',
    kind: 'hsm',
    checkValue: () => present().checkValue(),
    wrap: (key, aad) => present().wrap(key, aad),
    unwrap: (wrapped, aad) => present().unwrap(wrapped, aad),
  };
  const makeRoot = async () => {
    if (dies) await new Promise(() => undefined);
    if (held !== undefined) return;
    await new Promise((resolve) => setTimeout(resolve, takesMs));
    made += 1;
    held = softwareRoot('hsm', randomBytes(32));
  };
  return () => initRoots(store, new KeyHierarchy(store, [root]), [root], makeRoot);
}

const claims = () => store.transact(SYSTEM, (unit) => unit.residents.claims('roots'));

test('nodes that start together make one root, however long that takes, and leave no claim', async () => {
  const starts = [node(45_000), node(45_000), node(45_000)].map((start) => start());
  await vi.advanceTimersByTimeAsync(60_000);
  expect((await Promise.all(starts)).toSorted()).toEqual([false, false, true]);
  expect(made).toBe(1);
  expect(await claims()).toEqual([]);
});

test('a node that ended while it made a root is waited for no longer than ten seconds', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'Date'] });
  void node(0, true)();
  await vi.advanceTimersByTimeAsync(1000);
  expect(await claims()).toHaveLength(1);
  // It renews its claim no more: that is an interval, and those stand still.
  const second = node(100)();
  await vi.advanceTimersByTimeAsync(8000);
  expect(made).toBe(0);
  await vi.advanceTimersByTimeAsync(2500);
  await expect(second).resolves.toBe(true);
});

test('a node that was halted for so long that another made the root stores nothing', async () => {
  const halted = node(0, false);
  vi.useFakeTimers({ toFake: ['setTimeout', 'Date'] });
  const slow = Promise.allSettled([node(15_000)()]);
  await vi.advanceTimersByTimeAsync(1000);
  const quick = halted();
  await vi.advanceTimersByTimeAsync(20_000);
  await expect(quick).resolves.toBe(true);
  expect(await slow).toMatchObject([{ status: 'rejected', reason: { code: 'CONFLICT' } }]);
  expect((await store.transact(SYSTEM, (unit) => unit.tenants.roots())).length).toBe(1);
});

test('a node that fails to make a root keeps nobody from it', async () => {
  vi.useRealTimers();
  const failing = softwareRoot('hsm', randomBytes(32));
  const refuses = async () => Promise.reject(new Error('no room'));
  const hierarchy = new KeyHierarchy(store, [failing]);
  await expect(initRoots(store, hierarchy, [failing], refuses)).rejects.toThrow('no room');
  expect(await claims()).toEqual([]);
  await establishRoots(store, hierarchy, [failing]);
  await expect(hierarchy.masterKeys(SYSTEM_TENANT)).resolves.toBeDefined();
});
