import assert from 'node:assert/strict';
import type { KeyRecord } from '../model/key.ts';
import type { KeyQuery, Store } from '../ports/store.ts';
import type { Rules } from './contract.ts';
import { asTenant, insertKey, newTenant, sampleKey, SYSTEM } from './store-samples.ts';

/** More than any list here has. */
const MOST_PAGES = 20;

async function listAll(store: Store, tenantId: string, query: Omit<KeyQuery, 'after'>): Promise<KeyRecord[][]> {
  const pages: KeyRecord[][] = [];
  let after: KeyQuery['after'] = null;
  while (pages.length < MOST_PAGES) {
    const page = await asTenant(store, tenantId, (unit) => unit.keys.list({ ...query, after }));
    pages.push([...page.items]);
    const last = page.items.at(-1);
    if (!page.more || last === undefined) return pages;
    after = { createdAt: last.createdAt, keyId: last.keyId };
  }
  throw new Error('the list does not end');
}

function ids(keys: readonly KeyRecord[]): string[] {
  return keys.map((key) => key.keyId);
}

export function keyListRules({ it }: Rules, store: () => Store): void {
  it('pages through all keys, newest first, also where they were made in the same millisecond', async () => {
    const tenantId = await newTenant(store());
    const instants = [0, 5, 5, 5, 5, 1, 9];
    for (const [index, at] of instants.entries()) {
      await insertKey(
        store(),
        sampleKey(tenantId, { name: `key ${index}`, createdAt: new Date(1_780_000_000_000 + at) }),
      );
    }
    const [everything] = await listAll(store(), tenantId, { limit: 200 });
    assert.deepEqual(
      everything?.map((key) => key.createdAt.getTime() - 1_780_000_000_000),
      [9, 5, 5, 5, 5, 1, 0],
    );
    for (const limit of [1, 2, 3, 6, 7]) {
      const pages = await listAll(store(), tenantId, { limit });
      assert.deepEqual(
        pages.map((page) => page.length),
        Array.from({ length: Math.ceil(7 / limit) }, (_, page) => Math.min(limit, 7 - page * limit)),
      );
      assert.deepEqual(ids(pages.flat()), ids(everything ?? []));
    }
  });

  it('keeps a cursor stable while keys are added', async () => {
    const tenantId = await newTenant(store());
    const keys = [1, 2, 3, 4].map((at) => sampleKey(tenantId, { createdAt: new Date(1_780_000_000_000 + at) }));
    for (const key of keys) await insertKey(store(), key);
    const [oldest, second, , newest] = keys;
    if (oldest === undefined || second === undefined || newest === undefined) throw new Error('no samples');
    const first = await asTenant(store(), tenantId, (unit) => unit.keys.list({ limit: 2, after: null }));
    await insertKey(store(), sampleKey(tenantId, { createdAt: new Date(1_780_000_000_009) }));
    const last = first.items[1];
    if (last === undefined) throw new Error('no second item');
    const after = { createdAt: last.createdAt, keyId: last.keyId };
    const rest = await asTenant(store(), tenantId, (unit) => unit.keys.list({ limit: 2, after }));
    assert.equal(first.items[0]?.keyId, newest.keyId);
    assert.deepEqual(ids(rest.items), [second.keyId, oldest.keyId]);
    assert.equal(rest.more, false);
  });

  it('filters by state, algorithm, purpose and name, alone and together', async () => {
    const tenantId = await newTenant(store());
    const plain = await insertKey(store(), sampleKey(tenantId));
    const signing = await insertKey(
      store(),
      sampleKey(tenantId, { algorithm: 'ed25519', purpose: 'signing', name: 'a' }),
    );
    const suspended = await insertKey(store(), sampleKey(tenantId, { state: 'suspended', name: 'a' }));
    const list = async (query: Partial<KeyQuery>): Promise<string[]> => {
      const page = await asTenant(store(), tenantId, (unit) => unit.keys.list({ limit: 10, after: null, ...query }));
      return ids(page.items).sort();
    };
    assert.deepEqual(await list({ state: 'suspended' }), [suspended.keyId]);
    assert.deepEqual(await list({ algorithm: 'ed25519' }), [signing.keyId]);
    assert.deepEqual(await list({ purpose: 'encryption' }), ids([plain, suspended]).sort());
    assert.deepEqual(await list({ name: 'a' }), ids([signing, suspended]).sort());
    assert.deepEqual(await list({ name: 'a', state: 'active' }), [signing.keyId]);
    assert.deepEqual(await list({ name: '%' }), []);
    assert.deepEqual(await list({ state: 'suspended', algorithm: 'ed25519' }), []);
  });

  it('pages through a filtered list', async () => {
    const tenantId = await newTenant(store());
    for (let index = 0; index < 6; index += 1) {
      await insertKey(store(), sampleKey(tenantId, { name: index % 2 === 0 ? 'even' : 'odd' }));
    }
    const pages = await listAll(store(), tenantId, { limit: 2, name: 'even' });
    assert.deepEqual(
      pages.map((page) => page.map((key) => key.name)),
      [['even', 'even'], ['even']],
    );
  });

  it('counts the keys by state and by algorithm', async () => {
    const tenantId = await newTenant(store());
    assert.deepEqual(await asTenant(store(), tenantId, (unit) => unit.keys.count()), {
      byState: {},
      byAlgorithm: {},
      operationsThisMonth: 0,
    });
    await insertKey(store(), sampleKey(tenantId));
    await insertKey(store(), sampleKey(tenantId, { state: 'suspended' }));
    await insertKey(store(), sampleKey(tenantId, { algorithm: 'ed25519', purpose: 'signing' }));
    assert.deepEqual(await asTenant(store(), tenantId, (unit) => unit.keys.count()), {
      byState: { active: 2, suspended: 1 },
      byAlgorithm: { 'aes-256-gcm': 2, ed25519: 1 },
      operationsThisMonth: 0,
    });
  });

  it('adds up the operations of a tenant, and of no other', async () => {
    const [tenantId, other] = [await newTenant(store()), await newTenant(store())];
    const add = (to: string, count: number) => asTenant(store(), to, (unit) => unit.keys.addOperations(count));
    assert.deepEqual([await add(tenantId, 3), await add(tenantId, 4), await add(tenantId, 0)], [3, 7, 7]);
    assert.equal(await add(other, 1), 1);
    assert.equal((await asTenant(store(), tenantId, (unit) => unit.keys.count())).operationsThisMonth, 7);
    assert.equal((await asTenant(store(), other, (unit) => unit.keys.count())).operationsThisMonth, 1);
    const attempt = store().transact(SYSTEM, (unit) => unit.keys.addOperations(1));
    await assert.rejects(attempt, { code: 'INTERNAL_ERROR' });
    const all = await store().transact(SYSTEM, (unit) => unit.keys.count());
    assert.ok(all.operationsThisMonth >= 8);
    assert.equal((await asTenant(store(), tenantId, (unit) => unit.keys.count())).operationsThisMonth, 7);
  });

  it('names the children of a key', async () => {
    const tenantId = await newTenant(store());
    const parent = await insertKey(store(), sampleKey(tenantId));
    const children = [
      sampleKey(tenantId, { parentKeyId: parent.keyId }),
      sampleKey(tenantId, { parentKeyId: parent.keyId }),
    ];
    for (const child of children) await insertKey(store(), child);
    const [firstChild] = children;
    await insertKey(store(), sampleKey(tenantId, { parentKeyId: firstChild?.keyId ?? null }));
    const found = await asTenant(store(), tenantId, (unit) => unit.keys.children(parent.keyId));
    assert.deepEqual([...found].sort(), ids(children).sort());
    assert.deepEqual(await asTenant(store(), tenantId, (unit) => unit.keys.children(children[1]?.keyId ?? '')), []);
  });
}
