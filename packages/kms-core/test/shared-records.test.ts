import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  createKey,
  encrypt,
  type FeedEvent,
  InProcessFeed,
  KeyRing,
  type Kms,
  revokeKey,
  type SharedCache,
  SharedRecords,
  updateKey,
} from '../src/exports/internal.ts';
import { ChangeHistory } from '../src/keyring/change-history.ts';
import { MapCache } from '../src/testing/map-cache.ts';
import { addTenant, callerOf, type Fixture, makeFixture } from './kms-fixture.ts';

/** What everybody may read and write. */
class OpenCache implements SharedCache {
  readonly values = new Map<string, Uint8Array>();
  get = async (name: string): Promise<Uint8Array | undefined> => this.values.get(name);
  put = (name: string, bytes: Uint8Array): void => void this.values.set(name, bytes);
}

let f: Fixture;
let cache: OpenCache;
let reads: number;
const rejected: string[] = [];

/** A node with nothing in memory; all have the same store, feed and cache. */
function node(): { readonly kms: Kms; readonly shared: SharedRecords } {
  const feed = f.store.changes;
  const shared = new SharedRecords(cache, feed, (keyId) => rejected.push(keyId));
  const store = {
    ...f.kms.store,
    transact: f.store.transact.bind(f.store),
    readKey: (...key: Parameters<typeof f.store.readKey>) => {
      reads += 1;
      return f.store.readKey(...key);
    },
  };
  return {
    kms: { ...f.kms, keyRing: new KeyRing(store, f.kms.hierarchy, { feed, memory: new MapCache(), shared }) },
    shared,
  };
}

const seal = (kms: Kms, keyId: string) => encrypt({ kms, caller: f.admin }, { keyId, plaintext: randomBytes(8) });
const newKey = async () => (await createKey({ kms: f.kms, caller: f.admin }, {})).keyId;

beforeEach(async () => {
  f = await makeFixture();
  cache = new OpenCache();
  reads = 0;
  rejected.length = 0;
});

describe('a record that another node shared', () => {
  test('spares a read of the store', async () => {
    const keyId = await newKey();
    const [first, second] = [node(), node()];
    // Marks name points in the order of changes; both nodes have seen this one.
    f.store.changes.deliver({ kind: 'tenant', tenantId: 'another' });
    await seal(first.kms, keyId);
    await seal(second.kms, keyId);
    expect(reads).toBe(1);
    expect(second.shared.counts).toMatchObject({ hits: 1, rejected: 0 });
  });

  test('keeps its format and its optional fields, known or not', async () => {
    const keyId = await newKey();
    const chain = await f.kms.hierarchy.masterKeys(f.tenantId);
    const record = await f.store.readKey(f.tenantId, keyId);
    if (record === undefined) throw new Error('there is no such key');
    const withFields = chain.signRecord({
      ...record,
      fields: { 'of a newer release': [{ b: 1, a: null }] },
      versions: record.versions.map((version) => ({ ...version, fields: { validTo: 7 } })),
      revision: record.revision + 1,
    });
    await f.store.transact({ kind: 'tenant', tenantId: f.tenantId }, (unit) => unit.keys.update(withFields, 1));
    const [first, second] = [node(), node()];
    f.store.changes.deliver({ kind: 'tenant', tenantId: 'another' });
    await seal(first.kms, keyId);
    const { record: found } = await second.kms.keyRing.load(f.tenantId, keyId);
    expect(second.shared.counts).toMatchObject({ hits: 1, rejected: 0 });
    expect(found).toMatchObject({
      mac: { format: 2 },
      fields: withFields.fields,
      versions: [{ fields: { validTo: 7 } }],
    });
  });

  test('holds nothing that can be read without the master key', async () => {
    const { keyId } = await createKey(
      { kms: f.kms, caller: f.admin },
      {
        name: 'a telling name',
        metadata: { owner: 'a telling owner' },
      },
    );
    await seal(node().kms, keyId);
    const [bytes] = [...cache.values.values()];
    expect(Buffer.from(bytes ?? []).toString('latin1')).not.toMatch(/telling|revision|sealed/);
    expect(bytes?.length).toBeGreaterThan(200);
  });

  test('does not count after a change, also when the old entry is put back', async () => {
    const keyId = await newKey();
    const [first, second] = [node(), node()];
    f.store.changes.deliver({ kind: 'tenant', tenantId: 'another' });
    await seal(first.kms, keyId);
    const old = new Map(cache.values);
    await revokeKey({ kms: f.kms, caller: f.admin }, { keyId, reason: 'suspected_compromise' });
    for (const [name, bytes] of old) cache.values.set(name, bytes);
    await expect(seal(second.kms, keyId)).rejects.toMatchObject({ code: 'KEY_STATE_INVALID' });
    expect(second.shared.counts).toMatchObject({ hits: 0, outdated: 1, rejected: 0 });
    // What was read instead took its place; the old one put back once more does not count either.
    for (const [name, bytes] of old) cache.values.set(name, bytes);
    first.kms.keyRing.forget(keyId);
    await expect(seal(first.kms, keyId)).rejects.toMatchObject({ code: 'KEY_STATE_INVALID' });
  });

  test('does not count on a node that did not listen when it was shared', async () => {
    const keyId = await newKey();
    const first = node();
    f.store.changes.deliver({ kind: 'tenant', tenantId: 'another' });
    await seal(first.kms, keyId);
    const late = node();
    await seal(late.kms, keyId);
    expect(late.shared.counts).toMatchObject({ hits: 0, outdated: 1 });
  });

  test('does not count after a gap', async () => {
    const keyId = await newKey();
    const [first, second] = [node(), node()];
    f.store.changes.deliver({ kind: 'tenant', tenantId: 'another' });
    await seal(first.kms, keyId);
    f.store.changes.deliver({ kind: 'gap' });
    await seal(second.kms, keyId);
    expect(second.shared.counts).toMatchObject({ hits: 0, outdated: 1 });
  });
});

describe('what is wrong in the cache', () => {
  async function sharedKey(): Promise<{ readonly keyId: string; readonly name: string; readonly bytes: Uint8Array }> {
    const keyId = await newKey();
    await seal(node().kms, keyId);
    const [name = '', bytes = new Uint8Array()] = [...cache.values].find(([each]) => each.endsWith(keyId)) ?? [];
    return { keyId, name, bytes };
  }

  test.each<[string, (bytes: Uint8Array) => Uint8Array]>([
    ['nothing', () => new Uint8Array()],
    ['garbage', () => randomBytes(300)],
    ['text', () => Buffer.from('{"mark":"x","record":{}}')],
    ['a cut entry', (bytes) => bytes.subarray(0, bytes.length - 1)],
    ['a flipped bit', (bytes) => Uint8Array.from(bytes, (byte, index) => (index === 60 ? byte ^ 1 : byte))],
    ['another version of the master key', (bytes) => Uint8Array.from(bytes, (byte, index) => (index === 3 ? 9 : byte))],
  ])('is a miss and an alert: %s', async (_what, spoil) => {
    const { keyId, name, bytes } = await sharedKey();
    cache.values.set(name, spoil(bytes));
    const { kms, shared } = node();
    await expect(seal(kms, keyId)).resolves.toMatchObject({ keyId });
    expect(shared.counts).toMatchObject({ hits: 0, rejected: 1 });
    expect(rejected).toEqual([keyId]);
  });

  test('is a miss and an alert: the entry of another key, of the same tenant and of another one', async () => {
    const [mine, moved] = [await sharedKey(), await sharedKey()];
    cache.values.set(mine.name, moved.bytes);
    const { kms } = node();
    expect((await seal(kms, mine.keyId)).keyId).toBe(mine.keyId);

    const tenantId = crypto.randomUUID();
    await addTenant(f.kms, tenantId);
    const foreign = await createKey({ kms: f.kms, caller: callerOf(tenantId, 'tenant_admin') }, {});
    cache.values.set(`${tenantId}:${foreign.keyId}`, mine.bytes);
    await encrypt(
      { kms, caller: callerOf(tenantId, 'tenant_admin') },
      { keyId: foreign.keyId, plaintext: randomBytes(8) },
    );
    expect(rejected).toEqual([mine.keyId, foreign.keyId]);
  });
});

describe('the order of changes', () => {
  const feed = () => {
    const made = new InProcessFeed();
    return { feed: made, mark: () => made.deliver({ kind: 'tenant', tenantId: 'none' }) };
  };

  test('says of a mark whether a key or its tenant changed after it', () => {
    const { feed: events, mark } = feed();
    const history = new ChangeHistory(events);
    mark();
    const before = history.latest ?? '';
    expect(history.unchangedSince(before, 't', 'k')).toBe(true);
    events.deliver({ kind: 'key', keyId: 'k' });
    expect(history.unchangedSince(before, 't', 'k')).toBe(false);
    expect(history.unchangedSince(before, 't', 'other')).toBe(true);
    const after = history.latest ?? '';
    expect(history.unchangedSince(after, 't', 'k')).toBe(true);
    events.deliver({ kind: 'tenant', tenantId: 't' });
    expect(history.unchangedSince(after, 't', 'k')).toBe(false);
    expect(history.unchangedSince('never seen', 't', 'k')).toBe(false);
  });

  test('knows nothing of marks from before what it had to forget', () => {
    const { feed: events, mark } = feed();
    const history = new ChangeHistory(events, { marks: 100, changes: 2 });
    mark();
    const before = history.latest ?? '';
    for (const keyId of ['a', 'b', 'c', 'd']) events.deliver({ kind: 'key', keyId });
    // That `a` changed is forgotten, so nothing may be said about what an older mark stands for.
    expect(history.unchangedSince(before, 't', 'a')).toBe(false);
    expect(history.unchangedSince(history.latest ?? '', 't', 'a')).toBe(true);
  });
});

describe('a mark that somebody repeats', () => {
  /** A feed whose events the test makes up, as a database delivers those of everybody who may write to its channel. */
  function handMade() {
    let listener: (event: FeedEvent) => void = () => undefined;
    const history = new ChangeHistory({
      provenAt: () => -Infinity,
      subscribe: (listen) => {
        listener = listen;
        return () => undefined;
      },
    });
    const mark = (at: number, own = true) => listener({ kind: 'mark', mark: `m${at}`, at, own });
    return { history, mark, tell: (event: FeedEvent) => listener(event) };
  }

  test('stays where it was, before the change', () => {
    const { history, mark, tell } = handMade();
    mark(1);
    tell({ kind: 'key', keyId: 'k' });
    mark(1, false);
    expect(history.unchangedSince('m1', 't', 'k')).toBe(false);
  });

  test('is unknown after a gap, before and after this node finds out how late it is', () => {
    const { history, mark, tell } = handMade();
    mark(1);
    mark(2, false);
    tell({ kind: 'gap' });
    mark(1, false);
    mark(5, false);
    mark(4);
    mark(2, false);
    mark(5, false);
    for (const name of ['m1', 'm2', 'm5']) expect(history.unchangedSince(name, 't', 'k'), name).toBe(false);
    mark(6, false);
    expect(['m4', 'm6'].map((name) => history.unchangedSince(name, 't', 'k'))).toEqual([true, true]);
  });

  test('is unknown once it was forgotten', () => {
    const { history, mark } = handMade();
    for (let at = 1; at <= 30_001; at += 1) mark(at);
    mark(1, false);
    expect(history.unchangedSince('m1', 't', 'k')).toBe(false);
    expect(history.unchangedSince('m3', 't', 'k')).toBe(true);
  });

  test('and one that somebody makes up, is nothing that this node calls its own reads after', () => {
    const { history, mark } = handMade();
    mark(7, false);
    expect(history.latest).toBeUndefined();
    mark(8);
    mark(900, false);
    expect(history.latest).toBe('m8');
  });
});

test('a change of a key by its own node is seen by it at once', async () => {
  const keyId = await newKey();
  const { kms } = node();
  await seal(kms, keyId);
  await updateKey({ kms, caller: f.admin }, { keyId, name: 'renamed' });
  expect((await kms.keyRing.load(f.tenantId, keyId)).record.name).toBe('renamed');
});
