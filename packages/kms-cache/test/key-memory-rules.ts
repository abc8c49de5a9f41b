import { randomBytes } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { memoryCache } from '@qnsp/kms-cache';
import { softwareRoot } from '@qnsp/kms-core';
import { bytesOfKey, establishRoots, KeyHierarchy, KeyRing, type MasterKeyChain } from '@qnsp/kms-core/internal';
import { type KeyRecord, type LoadedKey, newId, SILENT_FEED, type Store } from '@qnsp/kms-core/ports';
import { inMemoryStore, sampleKey, sampleVersion, addTenant } from '@qnsp/kms-core/testing';
import { beforeAll, describe, expect, test } from 'vitest';

const MEBIBYTE = 1024 * 1024;
/** Less than this is not worth another collection. */
const SETTLED_BYTES = 64 * 1024;
const ALWAYS_ALIVE = { ...SILENT_FEED, provenAt: () => performance.now() };

/**
 * What is alive on the heap and in buffers. One collection leaves things behind whose memory is given back in the background
 * or by a finalizer, so it collects until nothing more goes away.
 */
async function heap(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  let least = Number.POSITIVE_INFINITY;
  for (let unchanged = 0; unchanged < 3; ) {
    gc();
    await setImmediate();
    const { heapUsed, external } = process.memoryUsage();
    const now = heapUsed + external;
    unchanged = now < least - SETTLED_BYTES ? 0 : unchanged + 1;
    least = Math.min(least, now);
  }
  return least;
}

/**
 * What a memory for a tenth of the keys does, as tests.
 *
 * @param zipfAtLeast the part of hits when use follows Zipf's law, which rises with the number of keys
 */
export function keyMemoryRules(keys: number, held: number, zipfAtLeast: number): void {
  let store: Store;
  let hierarchy: KeyHierarchy;
  let chain: MasterKeyChain;
  const tenantId = newId();
  /** Key records as a database holds them: read anew each time. */
  const records = new Map<string, string>();
  let reads = 0;

  function makeRecord(): KeyRecord {
    const keyId = newId();
    const material = chain.sealVersion({ keyId, version: 1, algorithm: 'aes-256-gcm' }, randomBytes(32));
    return chain.signRecord(sampleKey(tenantId, { keyId, versions: [sampleVersion(1, { material })] }));
  }

  const TAGS = { bytes: '\u0000b', date: '\u0000d' };
  const write = (record: KeyRecord) =>
    JSON.stringify(record, function (this: Record<string, unknown>, name, value: unknown) {
      const original = this[name];
      if (original instanceof Uint8Array) return TAGS.bytes + Buffer.from(original).toString('base64');
      return original instanceof Date ? TAGS.date + original.getTime() : value;
    });
  const read = (text: string) =>
    JSON.parse(text, (_name, value: unknown) => {
      if (typeof value !== 'string' || !value.startsWith('\u0000')) return value;
      const rest = value.slice(2);
      return value.startsWith(TAGS.bytes) ? new Uint8Array(Buffer.from(rest, 'base64')) : new Date(Number(rest));
    }) as KeyRecord;

  beforeAll(async () => {
    const memory = inMemoryStore();
    store = {
      transact: (scope, work) => memory.transact(scope, work),
      findToken: (hash) => memory.findToken(hash),
      ping: () => memory.ping(),
      readKey: async (_tenant, keyId) => {
        reads += 1;
        const text = records.get(keyId);
        return text === undefined ? undefined : read(text);
      },
    };
    const roots = [softwareRoot('software', randomBytes(32))];
    hierarchy = new KeyHierarchy(store, roots);
    await establishRoots(store, hierarchy, roots);
    await addTenant(store, hierarchy, tenantId);
    chain = await hierarchy.masterKeys(tenantId);
    for (let index = 0; index < keys; index += 1) {
      const record = makeRecord();
      records.set(record.keyId, write(record));
    }
  }, 600_000);

  function ring(maxEntries: number, maxBytes = 1024 * MEBIBYTE) {
    const memory = memoryCache<LoadedKey>({ maxEntries, maxBytes, ttlSeconds: 600 });
    return { memory, keyRing: new KeyRing(store, hierarchy, { feed: ALWAYS_ALIVE, memory }) };
  }

  /** Uses a key as an operation does: with its engine. */
  async function use(keyRing: KeyRing, keyId: string): Promise<void> {
    const loaded = await keyRing.load(tenantId, keyId);
    const [version] = loaded.record.versions;
    if (version !== undefined) loaded.version(version.version)?.engine();
  }

  describe(`${keys} keys and a memory for ${held}`, () => {
    /** Random numbers from 0 to 1 that are the same in each run (mulberry32). */
    function generator(seed: number): () => number {
      let state = seed;
      return () => {
        state = (state + 0x6d2b79f5) | 0;
        let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
        mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
      };
    }

    async function hitRate(pick: () => number): Promise<number> {
      const { memory, keyRing } = ring(held);
      const ids = [...records.keys()];
      const usePicked = () => use(keyRing, ids[pick()] ?? '');
      for (let index = 0; index < 2 * held; index += 1) await usePicked();
      const before = { ...keyRing.counts };
      for (let index = 0; index < 4 * held; index += 1) await usePicked();
      expect(memory.size).toBeLessThanOrEqual(held);
      const hits = keyRing.counts.hits - before.hits;
      return hits / (hits + keyRing.counts.misses - before.misses);
    }

    test('hits a tenth when all keys are used alike, and most when some are used more, as documented', {
      timeout: 120_000,
    }, async () => {
      const random = generator(1);
      const alike = await hitRate(() => Math.floor(random() * keys));
      // Zipf with exponent 1: the k-th key is used 1/k as often as the first.
      const zipf = await hitRate(() => Math.min(keys - 1, Math.floor(keys ** random()) - 1));
      process.stdout.write(
        `hit rate with ${keys} keys and room for ${held}: alike ${alike.toFixed(3)}, Zipf ${zipf.toFixed(3)}\n`,
      );
      expect(alike).toBeGreaterThan(0.09);
      expect(alike).toBeLessThan(0.11);
      expect(zipf).toBeGreaterThan(zipfAtLeast);
    });

    test('counts at least what its values take of the heap, and holds no more bytes than it may', {
      timeout: 120_000,
    }, async () => {
      const { memory, keyRing } = ring(held);
      const before = await heap();
      for (const keyId of [...records.keys()].slice(0, held)) await use(keyRing, keyId);
      const taken = (await heap()) - before;
      process.stdout.write(
        `${memory.size} keys are counted with ${(memory.bytes / MEBIBYTE).toFixed(1)} MiB, of which ${(taken / MEBIBYTE).toFixed(1)} MiB are on the heap\n`,
      );
      expect(memory.size).toBe(held);
      expect(taken).toBeLessThan(memory.bytes);
      expect(taken).toBeGreaterThan(memory.bytes / 8);

      const small = ring(held, 4 * MEBIBYTE);
      for (const keyId of [...records.keys()].slice(0, held)) await use(small.keyRing, keyId);
      expect(small.memory.bytes).toBeLessThanOrEqual(4 * MEBIBYTE);
      expect(small.memory.size).toBeGreaterThan(100);
    });
  });

  test('1,000 concurrent uses of a cold key are one read and one unwrap', async () => {
    const { keyRing } = ring(held);
    const [keyId = ''] = records.keys();
    reads = 0;
    const loaded = await Promise.all(Array.from({ length: 1000 }, async () => keyRing.load(tenantId, keyId)));
    const engines = loaded.map((key) => key.record.versions.map(({ version }) => key.version(version)?.engine())[0]);
    expect(reads).toBe(1);
    expect(new Set(engines).size).toBe(1);
  });

  test('what a key is counted with grows with its versions and what belongs to them', () => {
    const record = makeRecord();
    const key = (change: Partial<KeyRecord>) => ({ record: { ...record, ...change } });
    const [version] = record.versions;
    const sizes = [
      key({}),
      key({ versions: Array(10).fill(version) }),
      key({ metadata: { a: 'x'.repeat(10_000) } }),
    ].map(bytesOfKey);
    expect(sizes[1]).toBeGreaterThan(5 * (sizes[0] ?? 0));
    expect(sizes[2]).toBeGreaterThan((sizes[0] ?? 0) + 10_000);
  });
}
