import assert from 'node:assert/strict';
import { newId } from '../model/identifiers.ts';
import type { KeyRecord } from '../model/key.ts';
import type { Store } from '../ports/store.ts';
import { assertMembers } from './assert-members.ts';
import type { Rules } from './contract.ts';
import {
  asTenant,
  comparable,
  insertKey,
  newTenant,
  nextRevision,
  sampleKey,
  revoked,
  sampleToken,
  sampleWrap,
  someBytes,
  useRoot,
  shreddedTenant,
  sampleTenant,
} from './store-samples.ts';

export function isolationRules({ it }: Rules, store: () => Store): void {
  const twoTenants = async (): Promise<{ mine: string; theirs: string; key: KeyRecord }> => {
    const [mine, theirs] = [await newTenant(store()), await newTenant(store())];
    const rotation = {
      periodSeconds: 60,
      auto: true,
      retainVersions: null,
      nextRotationAt: new Date('2031-01-01T00:00:00.000Z'),
    };
    const parent = await insertKey(store(), sampleKey(theirs));
    const key = await insertKey(store(), sampleKey(theirs, { rotation, parentKeyId: parent.keyId }));
    return { mine, theirs, key };
  };

  it("does not show another tenant's key by any way of reading", async () => {
    const { mine, key } = await twoTenants();
    assert.equal(await store().readKey(mine, key.keyId), undefined);
    await asTenant(store(), mine, async (unit) => {
      assert.equal(await unit.keys.get(key.keyId), undefined);
      assert.equal(await unit.keys.get(key.keyId, { lock: true }), undefined);
      assert.deepEqual(await unit.keys.list({ limit: 200, after: null }), { items: [], more: false });
      assert.deepEqual(await unit.keys.count(), { byState: {}, byAlgorithm: {}, operationsThisMonth: 0 });
      assert.deepEqual(await unit.keys.children(key.parentKeyId ?? ''), []);
      assert.deepEqual(await unit.keys.scheduledRotations(10, null), []);
    });
  });

  it("does not change another tenant's key, nor draw from its budgets", async () => {
    const { mine, theirs, key } = await twoTenants();
    const stolen = { ...nextRevision(key, { name: 'stolen' }), tenantId: mine };
    await assert.rejects(
      asTenant(store(), mine, (unit) => unit.keys.update(stolen, 1)),
      {
        code: 'CONFLICT',
      },
    );
    const renamed = nextRevision(key, { name: 'renamed' });
    const foreign = asTenant(store(), mine, (unit) => unit.keys.update(renamed, 1));
    await assert.rejects(foreign, { code: 'TENANT_MISMATCH' });
    const lease = { keyId: key.keyId, version: 0, budget: 10, count: 10 };
    assert.equal(await asTenant(store(), mine, (unit) => unit.keys.leaseOperations(lease)), 0);
    assert.equal(await asTenant(store(), theirs, (unit) => unit.keys.leaseOperations(lease)), 10);
    assert.deepEqual(await store().readKey(theirs, key.keyId).then(comparable), comparable(key));
  });

  it('does not write a key, a token or a master key for another tenant', async () => {
    const { mine, theirs } = await twoTenants();
    const key = sampleKey(theirs);
    const token = sampleToken(theirs);
    await useRoot(store());
    const wrap = sampleWrap(theirs);
    const tenant = sampleTenant(newId(), { name: 'forged' });
    const mismatch = { code: 'TENANT_MISMATCH' };
    await assert.rejects(
      asTenant(store(), mine, (unit) => unit.keys.insert(key)),
      mismatch,
    );
    await assert.rejects(
      asTenant(store(), mine, (unit) => unit.tokens.insert(token)),
      mismatch,
    );
    await assert.rejects(
      asTenant(store(), mine, (unit) => unit.tokens.insert(sampleToken(null))),
      mismatch,
    );
    await assert.rejects(
      asTenant(store(), mine, (unit) => unit.tenants.addMasterKeyWraps([wrap])),
      mismatch,
    );
    await assert.rejects(
      asTenant(store(), mine, (unit) => unit.tenants.insert(tenant)),
      mismatch,
    );
    assert.equal(await store().readKey(theirs, key.keyId), undefined);
    assert.equal(await store().findToken(token.hash), undefined);
    await asTenant(store(), theirs, async (unit) => {
      assert.deepEqual(await unit.tenants.masterKeyWraps(theirs), []);
    });
  });

  it("does not make another tenant's key a parent", async () => {
    const { mine, key } = await twoTenants();
    const child = sampleKey(mine, { parentKeyId: key.keyId });
    await assert.rejects(insertKey(store(), child), { code: 'INTERNAL_ERROR' });
    assert.equal(await store().readKey(mine, child.keyId), undefined);
  });

  it("neither lists nor revokes another tenant's tokens, nor the service's own", async () => {
    const { mine, theirs } = await twoTenants();
    const [token, platform] = [sampleToken(theirs), sampleToken(null)];
    await store().transact({ kind: 'system' }, async (unit) => {
      await unit.tokens.insert(token);
      await unit.tokens.insert(platform);
    });
    await asTenant(store(), mine, async (unit) => {
      for (const query of [{}, { tenantId: theirs }, { tenantId: null }, { lockLive: true }])
        assert.deepEqual(await unit.tokens.list({ ...query, limit: 10 }), { items: [], more: false });
      assert.equal(await unit.tokens.get(token.tokenId), undefined);
      assert.equal(await unit.tokens.get(platform.tokenId, { lock: true }), undefined);
    });
    for (const foreign of [token, platform]) {
      const attempt = asTenant(store(), mine, (unit) => unit.tokens.revoke(revoked(foreign, unit.now)));
      await assert.rejects(attempt, { code: 'NOT_FOUND' });
    }
    assertMembers(await store().findToken(token.hash), { revokedAt: null });
    assertMembers(await store().findToken(platform.hash), { revokedAt: null });
  });

  it("neither shows nor shreds another tenant, nor shows the service's roots", async () => {
    const { mine, theirs } = await twoTenants();
    await useRoot(store());
    const wrap = sampleWrap(theirs);
    await asTenant(store(), theirs, (unit) => unit.tenants.addMasterKeyWraps([wrap]));
    await asTenant(store(), mine, async (unit) => {
      assert.equal(await unit.tenants.get(theirs), undefined);
      assert.deepEqual(await unit.tenants.masterKeyWraps(theirs), []);
      const { items: listed } = await unit.tenants.list({ limit: 200 });
      assert.deepEqual(
        listed.map((tenant) => tenant.tenantId),
        [mine],
      );
    });
    const shredding = asTenant(store(), mine, (unit) => unit.tenants.shred(shreddedTenant(theirs)));
    await assert.rejects(shredding, { code: 'NOT_FOUND' });
    for (const attempt of ['roots', 'lockRoots'] as const) {
      const refused = asTenant(store(), mine, async (unit) => unit.tenants[attempt]());
      await assert.rejects(refused, { code: 'INTERNAL_ERROR' });
    }
    const root = { providerId: newId(), checkValue: 'c0ffee' };
    const adding = asTenant(store(), mine, (unit) => unit.tenants.addRoot(root));
    await assert.rejects(adding, { code: 'INTERNAL_ERROR' });
    assertMembers(await asTenant(store(), theirs, (unit) => unit.tenants.get(theirs)), {
      state: 'active',
    });
  });

  it('keeps the idempotency keys of tenants apart', async () => {
    const { mine, theirs } = await twoTenants();
    await asTenant(store(), theirs, async (unit) => {
      await unit.idempotency.claim('same key', someBytes(32));
      await unit.idempotency.complete('same key', someBytes(8), 3600);
    });
    await asTenant(store(), mine, async (unit) => {
      assert.equal(await unit.idempotency.claim('same key', someBytes(32)), undefined);
    });
  });
}
