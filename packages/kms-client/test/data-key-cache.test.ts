import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { cachedDataKeys, type DataKeyCache } from '../src/envelope/data-key-cache.ts';
import { type DataKeySource, serviceDataKeys } from '../src/envelope/data-keys.ts';
import { createEnvelope, type DataKeyService } from '../src/envelope/index.ts';
import { createKmsClient, type KmsClient } from '../src/index.ts';
import { failureOf } from './failure-of.ts';
import { type StartedService, startedService } from './started-service.ts';

const data = new TextEncoder().encode('hello');
let service: StartedService;
let kms: KmsClient;
let keyId: string;
const calls = { created: 0, opened: 0 };
/** The real service, with its calls counted. */
const counted: DataKeyService = {
  createDataKey: (...args) => {
    calls.created += 1;
    return kms.createDataKey(...args);
  },
  unwrap: (...args) => {
    calls.opened += 1;
    return kms.unwrap(...args);
  },
};

beforeAll(async () => {
  service = await startedService();
  kms = createKmsClient({ baseUrl: service.baseUrl, token: service.token });
  ({ keyId } = await kms.createKey({}));
});
afterAll(async () => {
  await service.end();
});
beforeEach(() => {
  calls.created = 0;
  calls.opened = 0;
});
afterEach(() => {
  vi.restoreAllMocks();
});

describe('without a cache', () => {
  test('every stream has a data key of its own', async () => {
    const envelope = createEnvelope(counted);
    for (let count = 0; count < 3; count += 1) await envelope.decrypt(await envelope.encrypt(data, { keyId }));
    expect(calls).toEqual({ created: 3, opened: 3 });
  });
});

describe('a cache of data keys', () => {
  test('serves so many streams, then asks for another key', async () => {
    const envelope = createEnvelope(counted, { cache: { maxAgeMs: 60_000, maxUses: 3 } });
    const sealed = [];
    for (let count = 0; count < 7; count += 1) sealed.push(await envelope.encrypt(data, { keyId }));
    expect(calls.created).toBe(3);
    // The streams differ all the same: each has its own salt.
    expect(new Set(sealed.map((each) => Buffer.from(each.subarray(-21)).toString('hex'))).size).toBe(7);
    for (const each of sealed) expect(await envelope.decrypt(each)).toEqual(data);
    expect(calls.opened).toBe(3);
  });

  test('counts streams that begin at the same time', async () => {
    const envelope = createEnvelope(counted, { cache: { maxAgeMs: 60_000, maxUses: 4 } });
    await Promise.all(Array.from({ length: 12 }, () => envelope.encrypt(data, { keyId })));
    expect(calls.created).toBe(3);
  });

  test('forgets a key that is too old, or that encrypted too much', async () => {
    let now = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => now);
    const aged = createEnvelope(counted, { cache: { maxAgeMs: 1000, maxUses: 100 } });
    await aged.encrypt(data, { keyId });
    now = 999;
    await aged.encrypt(data, { keyId });
    expect(calls.created).toBe(1);
    now = 1000;
    await aged.encrypt(data, { keyId });
    expect(calls.created).toBe(2);
    const bounded = createEnvelope(counted, { cache: { maxAgeMs: 1000, maxUses: 100, maxBytes: 6 } });
    calls.created = 0;
    for (let count = 0; count < 4; count += 1) await bounded.encrypt(data, { keyId });
    expect(calls.created).toBe(2);
  });

  test('keeps contexts and keys apart', async () => {
    const { keyId: other } = await kms.createKey({});
    const envelope = createEnvelope(counted, { cache: { maxAgeMs: 60_000, maxUses: 100 } });
    for (const options of [{ keyId }, { keyId, context: { a: 'b' } }, { keyId: other }]) {
      await envelope.encrypt(data, options);
      await envelope.encrypt(data, options);
    }
    expect(calls.created).toBe(3);
  });

  test('holds only so many keys and lets the one go that was not used for the longest time', async () => {
    const envelope = createEnvelope(counted, { cache: { maxAgeMs: 60_000, maxUses: 100, maxEntries: 2 } });
    for (const name of ['a', 'b', 'a', 'c', 'a', 'b']) await envelope.encrypt(data, { keyId, context: { name } });
    expect(calls.created).toBe(4);
  });

  test('does not keep a failure', async () => {
    const { keyId: suspended } = await kms.createKey({});
    await kms.suspendKey({ keyId: suspended });
    const envelope = createEnvelope(counted, { cache: { maxAgeMs: 60_000, maxUses: 100 } });
    expect(await failureOf(envelope.encrypt(data, { keyId: suspended }))).toMatchObject({ code: 'KEY_STATE_INVALID' });
    await kms.resumeKey({ keyId: suspended });
    expect(await envelope.encrypt(data, { keyId: suspended })).toBeInstanceOf(Uint8Array);
  });

  test('ends the wait of a caller who has enough, and of nobody else', async () => {
    const gate = Promise.withResolvers<void>();
    const signals: unknown[] = [];
    const slow: DataKeyService = {
      ...counted,
      createDataKey: async (input, options) => {
        signals.push(options?.signal);
        await gate.promise;
        return counted.createDataKey(input, options);
      },
    };
    const envelope = createEnvelope(slow, { cache: { maxAgeMs: 60_000, maxUses: 100 } });
    const controller = new AbortController();
    const first = envelope.encrypt(data, { keyId, signal: controller.signal });
    const second = envelope.encrypt(data, { keyId });
    await expect.poll(() => signals).toEqual([undefined]);
    controller.abort(new Error('enough'));
    await expect(first).rejects.toThrow('enough');
    gate.resolve();
    expect(await envelope.decrypt(await second)).toEqual(data);
    expect(calls.created).toBe(1);
  });

  test('does not keep a key in memory that is too old or used up, even when nobody asks for another', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const made: WeakRef<CryptoKey>[] = [];
    const source = serviceDataKeys(counted);
    const watched: DataKeySource = {
      ...source,
      async forSealing(...args) {
        const key = await source.forSealing(...args);
        made.push(new WeakRef(key.dataKey));
        return key;
      },
    };
    const used = async (cache: DataKeyCache) => {
      await cache.forSealing(keyId, new Uint8Array(32), {});
    };
    const caches = [
      cachedDataKeys(watched, { maxAgeMs: 50, maxUses: 100 }),
      cachedDataKeys(watched, { maxAgeMs: 600_000, maxUses: 1 }),
    ];
    for (const cache of caches) await used(cache);
    const isGone = () => {
      collect();
      return made.map((each) => each.deref() === undefined);
    };
    await expect.poll(isGone, { timeout: 10_000 }).toEqual([true, true]);
    expect(caches).toHaveLength(2);
  });

  test('refuses bounds that bound nothing', () => {
    for (const cache of [
      { maxAgeMs: Number.POSITIVE_INFINITY, maxUses: 1 },
      { maxAgeMs: 1, maxUses: Number.POSITIVE_INFINITY },
      { maxAgeMs: 0, maxUses: 1 },
      { maxAgeMs: 1, maxUses: Number.NaN },
      { maxAgeMs: 1 } as never,
    ])
      expect(() => createEnvelope(counted, { cache })).toThrow(/must be a number above 0/);
  });
});
