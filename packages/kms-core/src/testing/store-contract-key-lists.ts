import { expect, it } from 'vitest';
import type { KeyRecord } from '../model/key.ts';
import type { KeyQuery, Store } from '../ports/store.ts';
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

export function keyListRules(store: () => Store): void {
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
    expect(everything?.map((key) => key.createdAt.getTime() - 1_780_000_000_000)).toEqual([9, 5, 5, 5, 5, 1, 0]);
    for (const limit of [1, 2, 3, 6, 7]) {
      const pages = await listAll(store(), tenantId, { limit });
      expect(pages.map((page) => page.length)).toEqual(
        Array.from({ length: Math.ceil(7 / limit) }, (_, page) => Math.min(limit, 7 - page * limit)),
      );
      expect(ids(pages.flat())).toEqual(ids(everything ?? []));
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
    expect(first.items[0]?.keyId).toBe(newest.keyId);
    expect(ids(rest.items)).toEqual([second.keyId, oldest.keyId]);
    expect(rest.more).toBe(false);
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
    expect(await list({ state: 'suspended' })).toEqual([suspended.keyId]);
    expect(await list({ algorithm: 'ed25519' })).toEqual([signing.keyId]);
    expect(await list({ purpose: 'encryption' })).toEqual(ids([plain, suspended]).sort());
    expect(await list({ name: 'a' })).toEqual(ids([signing, suspended]).sort());
    expect(await list({ name: 'a', state: 'active' })).toEqual([signing.keyId]);
    expect(await list({ name: '%' })).toEqual([]);
    expect(await list({ state: 'suspended', algorithm: 'ed25519' })).toEqual([]);
  });

  it('pages through a filtered list', async () => {
    const tenantId = await newTenant(store());
    for (let index = 0; index < 6; index += 1) {
      await insertKey(store(), sampleKey(tenantId, { name: index % 2 === 0 ? 'even' : 'odd' }));
    }
    const pages = await listAll(store(), tenantId, { limit: 2, name: 'even' });
    expect(pages.map((page) => page.map((key) => key.name))).toEqual([['even', 'even'], ['even']]);
  });

  it('counts the keys by state and by algorithm', async () => {
    const tenantId = await newTenant(store());
    await expect(asTenant(store(), tenantId, (unit) => unit.keys.count())).resolves.toEqual({
      byState: {},
      byAlgorithm: {},
      operationsThisMonth: 0,
    });
    await insertKey(store(), sampleKey(tenantId));
    await insertKey(store(), sampleKey(tenantId, { state: 'suspended' }));
    await insertKey(store(), sampleKey(tenantId, { algorithm: 'ed25519', purpose: 'signing' }));
    await expect(asTenant(store(), tenantId, (unit) => unit.keys.count())).resolves.toEqual({
      byState: { active: 2, suspended: 1 },
      byAlgorithm: { 'aes-256-gcm': 2, ed25519: 1 },
      operationsThisMonth: 0,
    });
  });

  it('adds up the operations of a tenant, and of no other', async () => {
    const [tenantId, other] = [await newTenant(store()), await newTenant(store())];
    await asTenant(store(), tenantId, (unit) => unit.keys.addOperations(3));
    await asTenant(store(), tenantId, (unit) => unit.keys.addOperations(4));
    await asTenant(store(), other, (unit) => unit.keys.addOperations(1));
    expect((await asTenant(store(), tenantId, (unit) => unit.keys.count())).operationsThisMonth).toBe(7);
    expect((await asTenant(store(), other, (unit) => unit.keys.count())).operationsThisMonth).toBe(1);
    const attempt = store().transact(SYSTEM, (unit) => unit.keys.addOperations(1));
    await expect(attempt).rejects.toMatchObject({ code: 'INTERNAL_ERROR' });
    const all = await store().transact(SYSTEM, (unit) => unit.keys.count());
    expect(all.operationsThisMonth).toBeGreaterThanOrEqual(8);
    expect((await asTenant(store(), tenantId, (unit) => unit.keys.count())).operationsThisMonth).toBe(7);
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
    expect([...found].sort()).toEqual(ids(children).sort());
    await expect(asTenant(store(), tenantId, (unit) => unit.keys.children(children[1]?.keyId ?? ''))).resolves.toEqual(
      [],
    );
  });
}
