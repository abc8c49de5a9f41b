import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import {
  type ChangeFeed,
  createKey,
  encrypt,
  InProcessFeed,
  IdentityRing,
  KeyHierarchy,
  KeyRing,
  type Kms,
  type RootProvider,
  shredTenant,
  SILENT_FEED,
  SYSTEM_TENANT,
  TokenRing,
} from '../src/exports/internal.ts';
import { MapCache } from '../src/testing/map-cache.ts';
import { type Fixture, makeFixture, promised } from './kms-fixture.ts';

let f: Fixture;
let opened: string[];

beforeEach(async () => {
  f = await makeFixture();
  opened = [];
});

/** Another node on the same store, whose news comes from a feed of its own. */
async function node(feed: ChangeFeed, memory: boolean): Promise<Kms> {
  const roots = f.roots.map(
    (root): RootProvider => ({
      id: root.id,
      kind: root.kind,
      checkValue: () => root.checkValue(),
      wrap: (plaintext, aad) => root.wrap(plaintext, aad),
      unwrap: (wrapped, aad) => {
        opened.push(root.id);
        return root.unwrap(wrapped, aad);
      },
    }),
  );
  const hierarchy = new KeyHierarchy(f.store, roots, { feed });
  const caches = <V extends object>() => (memory ? { feed, memory: new MapCache<V>() } : { feed });
  return {
    ...f.kms,
    hierarchy,
    keyRing: new KeyRing(f.store, hierarchy, caches()),
    tokens: new TokenRing(f.store, hierarchy, caches()),
    identities: new IdentityRing(f.store, hierarchy, caches(), () => Date.now()),
  };
}

/** A feed that proves nothing for as long as it is `lost`. */
class LossyFeed extends InProcessFeed {
  lost = false;
  override provenAt = () => (this.lost ? -Infinity : performance.now());
}

const shred = () => {
  const confirmation = `SHRED-${f.tenantId}`;
  return shredTenant({ kms: f.kms, caller: f.admin }, { tenantId: f.tenantId, confirmation, reason: 'test' });
};
const refused = expect.objectContaining({ code: 'NOT_FOUND' });

describe('the master keys of a tenant that was shredded elsewhere', () => {
  test('are gone after a gap in the feed, in which the news was lost', async () => {
    const feed = new LossyFeed();
    const other = await node(feed, true);
    await other.hierarchy.masterKeys(f.tenantId);
    await other.hierarchy.masterKeys(SYSTEM_TENANT);
    await shred();
    feed.deliver({ kind: 'gap' });
    await expect(other.hierarchy.masterKeys(f.tenantId)).rejects.toThrow(refused);
    const before = opened.length;
    await other.hierarchy.masterKeys(SYSTEM_TENANT);
    expect(opened).toHaveLength(before);
  });

  test('are not used while nothing proves that the news would have come', async () => {
    const feed = new LossyFeed();
    const other = await node(feed, true);
    await other.hierarchy.masterKeys(f.tenantId);
    await shred();
    feed.lost = true;
    await expect(other.hierarchy.masterKeys(f.tenantId)).rejects.toThrow(refused);
  });

  test('are not used by a node that holds nothing, and hears nothing', async () => {
    const other = await node(SILENT_FEED, false);
    const { keyId } = await createKey({ kms: other, caller: f.admin }, {});
    await encrypt({ kms: other, caller: f.admin }, { keyId, plaintext: randomBytes(8) });
    await shred();
    await expect(createKey({ kms: other, caller: f.admin }, {})).rejects.toThrow(refused);
    await expect(
      promised(() => encrypt({ kms: other, caller: f.admin }, { keyId, plaintext: randomBytes(8) })),
    ).rejects.toThrow(refused);
  });
});

test('the master keys of a living tenant are unwrapped once, whether or not they have to be looked after', async () => {
  const other = await node(SILENT_FEED, false);
  // The service's own are opened when it starts.
  await other.hierarchy.masterKeys(SYSTEM_TENANT);
  opened.length = 0;
  const chain = await other.hierarchy.masterKeys(f.tenantId);
  for (let round = 0; round < 3; round += 1) expect(await other.hierarchy.masterKeys(f.tenantId)).toBe(chain);
  expect(opened).toHaveLength(1);
});

test('the master keys of a living tenant outlast a gap in the feed without a root', async () => {
  const feed = new LossyFeed();
  const other = await node(feed, true);
  const chain = await other.hierarchy.masterKeys(f.tenantId);
  const before = opened.length;
  feed.deliver({ kind: 'gap' });
  expect(await other.hierarchy.masterKeys(f.tenantId)).toBe(chain);
  feed.deliver({ kind: 'gap' });
  expect(await other.hierarchy.masterKeys(f.tenantId)).toBe(chain);
  expect(opened).toHaveLength(before);
});

test('the master keys that were opened from other wraps are opened again after a gap', async () => {
  const feed = new LossyFeed();
  const other = await node(feed, true);
  const chain = await other.hierarchy.masterKeys(f.tenantId);
  await f.store.transact({ kind: 'system' }, async (unit) => {
    const [wrap] = await unit.tenants.masterKeyWraps(f.tenantId);
    if (wrap === undefined) throw new Error('the tenant has a wrap');
    await unit.tenants.addRoot({ providerId: 'new', checkValue: '00' });
    await unit.tenants.addMasterKeyWraps([{ ...wrap, providerId: 'new', rootCheckValue: '00' }]);
  });
  expect(await other.hierarchy.masterKeys(f.tenantId)).toBe(chain);
  feed.deliver({ kind: 'gap' });
  expect(await other.hierarchy.masterKeys(f.tenantId)).not.toBe(chain);
});

test('the master keys of a tenant that nobody uses are compared after a gap', async () => {
  const feed = new LossyFeed();
  const other = await node(feed, true);
  await other.hierarchy.masterKeys(f.tenantId);
  await shred();
  const read = vi.spyOn(f.store, 'transact');
  const forgotten = vi.spyOn(other.hierarchy, 'forget');
  feed.deliver({ kind: 'gap' });
  await vi.waitFor(() => expect(forgotten).toHaveBeenCalledWith(f.tenantId), { timeout: 20_000 });
  expect(read).toHaveBeenCalledTimes(1);
});

test('master keys that are dropped while they are compared are read again', async () => {
  const feed = new LossyFeed();
  const other = await node(feed, true);
  await other.hierarchy.masterKeys(f.tenantId);
  feed.lost = true;
  const reached = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const { store } = f;
  const transact = store.transact.bind(store);
  vi.spyOn(store, 'transact').mockImplementationOnce(async (scope, work) => {
    const answer = await transact(scope, work);
    reached.resolve();
    await released.promise;
    return answer;
  });
  const comparing = other.hierarchy.masterKeys(f.tenantId);
  await reached.promise;
  await shred();
  other.hierarchy.forget(f.tenantId);
  released.resolve();
  await expect(comparing).rejects.toThrow(refused);
});
