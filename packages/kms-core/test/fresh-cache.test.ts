import { beforeEach, describe, expect, test } from 'vitest';
import { FreshCache } from '../src/keyring/fresh-cache.ts';
import { TRUST_MS } from '../src/ports/change-feed.ts';
import { MapCache } from '../src/testing/map-cache.ts';

interface Value {
  readonly text: string;
}

/** A store that answers when the test says so. */
class SlowStore {
  readonly reads: { readonly answer: (value: Value) => void; readonly fail: (error: Error) => void }[] = [];

  readonly read = (): Promise<Value> =>
    new Promise((answer, fail) => {
      this.reads.push({ answer, fail });
    });
}

let now: number;
let provenAt: number;
let store: SlowStore;
let cache: FreshCache<Value>;

beforeEach(() => {
  now = 10_000;
  provenAt = now;
  store = new SlowStore();
  cache = new FreshCache<Value>(
    { subscribe: () => () => undefined, provenAt: () => provenAt },
    new MapCache<Value>(),
    () => 1,
    () => now,
  );
});

const load = (name = 'key', owner = 'tenant') => cache.load(name, owner, store.read);
/** Lets everything that waits for a promise go on. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

async function hold(text: string): Promise<void> {
  const loading = load();
  store.reads.at(-1)?.answer({ text });
  await loading;
}

describe('a value that is held', () => {
  test('is used without a read while the feed is alive', async () => {
    await hold('a');
    expect(cache.get('key')).toEqual({ text: 'a' });
    expect(store.reads).toHaveLength(1);
  });

  test('is not used any more once the last proof is too old, and again when a new one comes', async () => {
    await hold('a');
    now += TRUST_MS;
    expect(cache.get('key')).toBeDefined();
    now += 1;
    expect(cache.get('key')).toBeUndefined();
    provenAt = now;
    expect(cache.get('key')).toEqual({ text: 'a' });
  });

  test('is not used before there was any proof', async () => {
    provenAt = -Infinity;
    await hold('a');
    expect(cache.get('key')).toBeUndefined();
  });

  test('is gone once it changed', async () => {
    await hold('a');
    cache.forget('key');
    expect(cache.get('key')).toBeUndefined();
  });
});

describe('a read', () => {
  test('is shared by everybody who asks meanwhile', async () => {
    const loading = Array.from({ length: 1000 }, () => load());
    expect(store.reads).toHaveLength(1);
    store.reads[0]?.answer({ text: 'a' });
    expect(new Set(await Promise.all(loading)).size).toBe(1);
  });

  test('is not shared between owners', async () => {
    const [mine, theirs] = [load('key', 'mine'), load('key', 'theirs')];
    store.reads[0]?.answer({ text: 'mine' });
    store.reads[1]?.fail(new Error('not theirs'));
    expect(await mine).toEqual({ text: 'mine' });
    await expect(theirs).rejects.toThrow('not theirs');
  });

  test('that began before a change is not held, and not shared with whoever asks after it', async () => {
    for (const change of [() => cache.forget('key'), () => cache.forgetWhere(() => false), () => cache.forgetAll()]) {
      store.reads.length = 0;
      const before = load();
      change();
      const after = load();
      expect(store.reads).toHaveLength(2);
      store.reads[1]?.answer({ text: 'new' });
      expect(await after).toEqual({ text: 'new' });
      // The old answer comes last, and must not displace the new one.
      store.reads[0]?.answer({ text: 'old' });
      expect(await before).toEqual({ text: 'old' });
      expect(cache.get('key')).toEqual({ text: 'new' });
      cache.forget('key');
    }
  });

  test('is not held when it failed, and tried again by the next one', async () => {
    const loading = load();
    store.reads[0]?.fail(new Error('gone'));
    await expect(loading).rejects.toThrow('gone');
    void load().catch(() => undefined);
    expect(store.reads).toHaveLength(2);
  });

  test('whose answer comes too late to be trusted is done again', async () => {
    const loading = load();
    now += TRUST_MS + 1;
    store.reads[0]?.answer({ text: 'as of long ago' });
    await settle();
    store.reads[1]?.answer({ text: 'now' });
    expect(await loading).toEqual({ text: 'now' });
  });

  test('that took the time of all attempts is not done again', async () => {
    const loading = load();
    now += 3000;
    store.reads[0]?.answer({ text: 'far too late' });
    await expect(loading).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', retryAfterSeconds: 1 });
    expect(store.reads).toHaveLength(1);
  });

  test('that is always too late is an unavailable store', async () => {
    const loading = load();
    for (let attempt = 0; attempt < 3; attempt += 1) {
      now += TRUST_MS + 1;
      store.reads[attempt]?.answer({ text: 'late' });
      await settle();
    }
    await expect(loading).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', retryAfterSeconds: 1 });
  });
});

test('without memory every call reads for itself', () => {
  const through = new FreshCache<Value>({ subscribe: () => () => undefined, provenAt: () => now }, undefined, () => 1);
  for (const name of ['a', 'a']) void through.load(name, '', store.read);
  expect(through.get('a')).toBeUndefined();
  expect(store.reads).toHaveLength(2);
});
