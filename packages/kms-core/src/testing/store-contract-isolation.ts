import { expect, it } from 'vitest';
import { newId } from '../model/identifiers.ts';
import type { KeyRecord } from '../model/key.ts';
import type { Store } from '../ports/store.ts';
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

export function isolationRules(store: () => Store): void {
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
    await expect(store().readKey(mine, key.keyId)).resolves.toBeUndefined();
    await asTenant(store(), mine, async (unit) => {
      await expect(unit.keys.get(key.keyId)).resolves.toBeUndefined();
      await expect(unit.keys.get(key.keyId, { lock: true })).resolves.toBeUndefined();
      await expect(unit.keys.list({ limit: 200, after: null })).resolves.toEqual({ items: [], more: false });
      await expect(unit.keys.count()).resolves.toEqual({ byState: {}, byAlgorithm: {}, operationsThisMonth: 0 });
      await expect(unit.keys.children(key.parentKeyId ?? '')).resolves.toEqual([]);
      await expect(unit.keys.scheduledRotations(10, null)).resolves.toEqual([]);
    });
  });

  it("does not change another tenant's key, nor draw from its budgets", async () => {
    const { mine, theirs, key } = await twoTenants();
    const stolen = { ...nextRevision(key, { name: 'stolen' }), tenantId: mine };
    await expect(asTenant(store(), mine, (unit) => unit.keys.update(stolen, 1))).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    const renamed = nextRevision(key, { name: 'renamed' });
    const foreign = asTenant(store(), mine, (unit) => unit.keys.update(renamed, 1));
    await expect(foreign).rejects.toMatchObject({ code: 'TENANT_MISMATCH' });
    const lease = { keyId: key.keyId, version: 0, budget: 10, count: 10 };
    await expect(asTenant(store(), mine, (unit) => unit.keys.leaseOperations(lease))).resolves.toBe(0);
    await expect(asTenant(store(), theirs, (unit) => unit.keys.leaseOperations(lease))).resolves.toBe(10);
    await expect(store().readKey(theirs, key.keyId).then(comparable)).resolves.toStrictEqual(comparable(key));
  });

  it('does not write a key, a token or a master key for another tenant', async () => {
    const { mine, theirs } = await twoTenants();
    const key = sampleKey(theirs);
    const token = sampleToken(theirs);
    await useRoot(store());
    const wrap = sampleWrap(theirs);
    const tenant = sampleTenant(newId(), { name: 'forged' });
    const mismatch = { code: 'TENANT_MISMATCH' };
    await expect(asTenant(store(), mine, (unit) => unit.keys.insert(key))).rejects.toMatchObject(mismatch);
    await expect(asTenant(store(), mine, (unit) => unit.tokens.insert(token))).rejects.toMatchObject(mismatch);
    await expect(asTenant(store(), mine, (unit) => unit.tokens.insert(sampleToken(null)))).rejects.toMatchObject(
      mismatch,
    );
    await expect(asTenant(store(), mine, (unit) => unit.tenants.addMasterKeyWraps([wrap]))).rejects.toMatchObject(
      mismatch,
    );
    await expect(asTenant(store(), mine, (unit) => unit.tenants.insert(tenant))).rejects.toMatchObject(mismatch);
    await expect(store().readKey(theirs, key.keyId)).resolves.toBeUndefined();
    await expect(store().findToken(token.hash)).resolves.toBeUndefined();
    await asTenant(store(), theirs, async (unit) => {
      await expect(unit.tenants.masterKeyWraps(theirs)).resolves.toEqual([]);
    });
  });

  it("does not make another tenant's key a parent", async () => {
    const { mine, key } = await twoTenants();
    const child = sampleKey(mine, { parentKeyId: key.keyId });
    await expect(insertKey(store(), child)).rejects.toMatchObject({ code: 'INTERNAL_ERROR' });
    await expect(store().readKey(mine, child.keyId)).resolves.toBeUndefined();
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
        await expect(unit.tokens.list({ ...query, limit: 10 })).resolves.toEqual({ items: [], more: false });
      await expect(unit.tokens.get(token.tokenId)).resolves.toBeUndefined();
      await expect(unit.tokens.get(platform.tokenId, { lock: true })).resolves.toBeUndefined();
    });
    for (const foreign of [token, platform]) {
      const attempt = asTenant(store(), mine, (unit) => unit.tokens.revoke(revoked(foreign, unit.now)));
      await expect(attempt).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
    await expect(store().findToken(token.hash)).resolves.toMatchObject({ revokedAt: null });
    await expect(store().findToken(platform.hash)).resolves.toMatchObject({ revokedAt: null });
  });

  it("neither shows nor shreds another tenant, nor shows the service's roots", async () => {
    const { mine, theirs } = await twoTenants();
    await useRoot(store());
    const wrap = sampleWrap(theirs);
    await asTenant(store(), theirs, (unit) => unit.tenants.addMasterKeyWraps([wrap]));
    await asTenant(store(), mine, async (unit) => {
      await expect(unit.tenants.get(theirs)).resolves.toBeUndefined();
      await expect(unit.tenants.masterKeyWraps(theirs)).resolves.toEqual([]);
      const listed = await unit.tenants.list();
      expect(listed.map((tenant) => tenant.tenantId)).toEqual([mine]);
    });
    const shredding = asTenant(store(), mine, (unit) => unit.tenants.shred(shreddedTenant(theirs)));
    await expect(shredding).rejects.toMatchObject({ code: 'NOT_FOUND' });
    for (const attempt of ['roots', 'lockRoots'] as const) {
      const refused = asTenant(store(), mine, async (unit) => unit.tenants[attempt]());
      await expect(refused).rejects.toMatchObject({ code: 'INTERNAL_ERROR' });
    }
    const root = { providerId: newId(), checkValue: 'c0ffee' };
    const adding = asTenant(store(), mine, (unit) => unit.tenants.addRoot(root));
    await expect(adding).rejects.toMatchObject({ code: 'INTERNAL_ERROR' });
    await expect(asTenant(store(), theirs, (unit) => unit.tenants.get(theirs))).resolves.toMatchObject({
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
      await expect(unit.idempotency.claim('same key', someBytes(32))).resolves.toBeUndefined();
    });
  });
}
