import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '../model/identifiers.ts';
import type { MasterKeyWrap, TenantRecord } from '../model/tenant.ts';
import type { Store } from '../ports/store.ts';
import { assertMembers } from './assert-members.ts';
import type { Rules } from './contract.ts';
import {
  asTenant,
  comparable,
  insertKey,
  newTenant,
  nextRevision,
  rotated,
  SAMPLE_ROOT,
  sampleKey,
  sampleToken,
  sampleVersion,
  sampleWrap,
  someBytes,
  SYSTEM,
  useRoot,
  sampleMac,
  sampleTenant,
  shreddedTenant,
} from './store-samples.ts';

const OTHER_ROOT = { ...SAMPLE_ROOT, providerId: 'hsm-a' };

function wrapsOf(tenantId: string): MasterKeyWrap[] {
  return [
    sampleWrap(tenantId, { providerId: OTHER_ROOT.providerId }),
    sampleWrap(tenantId, { wrapped: someBytes(61) }),
    sampleWrap(tenantId, { tmkVersion: 2, format: 2, wrapped: someBytes(62) }),
  ];
}

/** The tenants of all pages. */
async function everyTenant(store: Store, limit: number): Promise<TenantRecord[]> {
  const found: TenantRecord[] = [];
  for (let more = true; more; ) {
    const after = found.at(-1) ?? null;
    const page = await store.transact(SYSTEM, (unit) => unit.tenants.list({ limit, after }));
    found.push(...page.items);
    more = page.more;
  }
  return found;
}

export function tenantRules({ it, before }: Rules, store: () => Store): void {
  before(async () => {
    await useRoot(store());
    await useRoot(store(), OTHER_ROOT);
  });

  it('gives back a tenant exactly and lists it', async () => {
    const tenant = sampleTenant(newId(), {
      name: 'Überbank "A" ✓',
      createdAt: new Date('2026-03-01T10:00:00.007Z'),
      fields: { 'of a newer release': [{ b: 1, a: null }] },
      mac: sampleMac({ tmkVersion: 3 }),
    });
    await store().transact(SYSTEM, async (unit) => {
      assert.equal(await unit.tenants.get(tenant.tenantId), undefined);
      await unit.tenants.insert(tenant);
    });
    const found = await asTenant(store(), tenant.tenantId, (unit) => unit.tenants.get(tenant.tenantId));
    assert.deepEqual(comparable(found), comparable(tenant));
    const listed = await everyTenant(store(), 200);
    assert.deepEqual(listed.filter(({ tenantId }) => tenantId === tenant.tenantId).map(comparable), [
      comparable(tenant),
    ]);
  });

  it('lists tenants in pages that neither repeat one nor leave one out, oldest first, also of one instant', async () => {
    const made = Array.from({ length: 7 }, (_, index) =>
      sampleTenant(newId(), { createdAt: new Date(1_780_000_000_000 + Math.floor(index / 3)) }),
    );
    await store().transact(SYSTEM, async (unit) => {
      for (const tenant of made) await unit.tenants.insert(tenant);
    });
    const whole = (await everyTenant(store(), 200)).map(({ tenantId }) => tenantId);
    for (const limit of [1, 3]) {
      const ids = (await everyTenant(store(), limit)).map(({ tenantId }) => tenantId);
      assert.deepEqual(ids, whole);
    }
    const order = (one: TenantRecord, other: TenantRecord) =>
      one.createdAt.getTime() - other.createdAt.getTime() || (one.tenantId < other.tenantId ? -1 : 1);
    const own = new Set(made.map(({ tenantId }) => tenantId));
    assert.deepEqual(
      whole.filter((tenantId) => own.has(tenantId)),
      made.toSorted(order).map(({ tenantId }) => tenantId),
    );
    const [tenant] = made;
    assert(tenant !== undefined);
    const seen = await asTenant(store(), tenant.tenantId, (unit) => unit.tenants.list({ limit: 200 }));
    assert.deepEqual(
      seen.items.map(({ tenantId }) => tenantId),
      [tenant.tenantId],
    );
    assert.equal(seen.more, false);
  });

  it('stores other fields of a tenant with their MAC, in the system scope only', async () => {
    const tenantId = await newTenant(store());
    const stored = await asTenant(store(), tenantId, (unit) => unit.tenants.get(tenantId));
    const changed = { tenantId, fields: { '!rate': 7, other: ['a'] }, mac: sampleMac() };
    await assert.rejects(
      asTenant(store(), tenantId, (unit) => unit.tenants.setFields(changed)),
      { code: 'INTERNAL_ERROR' },
    );
    await store().transact(SYSTEM, (unit) => unit.tenants.setFields(changed));
    const found = await asTenant(store(), tenantId, (unit) => unit.tenants.get(tenantId));
    assert.deepEqual(comparable(found), comparable({ ...stored, ...changed }));
    await assert.rejects(
      store().transact(SYSTEM, (unit) => unit.tenants.setFields({ ...changed, tenantId: newId() })),
      { code: 'NOT_FOUND' },
    );
  });

  it('gives no two tenants one account, and a tenant its own again', async () => {
    const [tenantId, other] = [await newTenant(store()), await newTenant(store())];
    const give = (id: string, account: string) =>
      store().transact(SYSTEM, (unit) =>
        unit.tenants.setFields({ tenantId: id, fields: { account, '!rate': 7 }, mac: sampleMac() }),
      );
    const account = String(Date.now());
    await give(tenantId, account);
    await give(tenantId, account);
    await store().transact(SYSTEM, async (unit) => {
      const fields = { account };
      await assert.rejects(unit.tenants.setFields({ tenantId: other, fields, mac: sampleMac() }), { code: 'CONFLICT' });
      await unit.tenants.setFields({ tenantId: other, fields: { account: `${account}1` }, mac: sampleMac() });
    });
    const found = await asTenant(store(), other, (unit) => unit.tenants.get(other));
    assert.deepEqual(found?.fields, { account: `${account}1` });
  });

  it('binds a tenant: stores its MAC, and replaces all wraps of its master keys, in the system scope only', async () => {
    const [tenantId, other] = [await newTenant(store()), await newTenant(store())];
    const old = [sampleWrap(tenantId), sampleWrap(tenantId, { tmkVersion: 2 })];
    await asTenant(store(), tenantId, (unit) => unit.tenants.addMasterKeyWraps(old));
    await asTenant(store(), other, (unit) => unit.tenants.addMasterKeyWraps([sampleWrap(other)]));
    const bound = sampleTenant(tenantId, { mac: sampleMac() });
    const wraps = [sampleWrap(tenantId, { format: 2 })];
    await assert.rejects(
      asTenant(store(), tenantId, (unit) => unit.tenants.bind(bound, wraps)),
      {
        code: 'INTERNAL_ERROR',
      },
    );
    await store().transact(SYSTEM, (unit) => unit.tenants.bind(bound, wraps));
    await asTenant(store(), tenantId, async (unit) => {
      assert.deepEqual(comparable((await unit.tenants.get(tenantId))?.mac), comparable(bound.mac));
      assert.deepEqual(comparable(await unit.tenants.masterKeyWraps(tenantId)), comparable(wraps));
    });
    await asTenant(store(), other, async (unit) => {
      assertMembers(await unit.tenants.get(other), { mac: null });
      assert.equal((await unit.tenants.masterKeyWraps(other)).length, 1);
    });
    const unknown = store().transact(SYSTEM, (unit) => unit.tenants.bind(sampleTenant(newId()), []));
    await assert.rejects(unknown, { code: 'NOT_FOUND' });
  });

  it('refuses a tenant id that was ever used', async () => {
    const tenantId = await newTenant(store());
    await store().transact(SYSTEM, (unit) => unit.tenants.shred(shreddedTenant(tenantId)));
    const again = sampleTenant(tenantId, { name: 'again' });
    const attempt = store().transact(SYSTEM, (unit) => unit.tenants.insert(again));
    await assert.rejects(attempt, { code: 'CONFLICT' });
    assertMembers(await asTenant(store(), tenantId, (unit) => unit.tenants.get(tenantId)), {
      state: 'shredded',
    });
  });

  it('keeps the wraps of a master key by version and provider', async () => {
    const tenantId = await newTenant(store());
    const wraps = wrapsOf(tenantId);
    await asTenant(store(), tenantId, (unit) => unit.tenants.addMasterKeyWraps(wraps.toReversed()));
    const found = await asTenant(store(), tenantId, (unit) => unit.tenants.masterKeyWraps(tenantId));
    assert.deepEqual(comparable(found), comparable(wraps));
    await asTenant(store(), tenantId, (unit) => unit.tenants.addMasterKeyWraps([]));
    const duplicate = sampleWrap(tenantId, { tmkVersion: 2 });
    const attempt = asTenant(store(), tenantId, (unit) => unit.tenants.addMasterKeyWraps([duplicate]));
    await assert.rejects(attempt, { code: 'CONFLICT' });
    assert.deepEqual(
      await store()
        .transact(SYSTEM, (unit) => unit.tenants.masterKeyWraps(tenantId))
        .then(comparable),
      comparable(wraps),
    );
  });

  it('shreds a tenant: no wrap, no sealed material and no sealed answer is left', async () => {
    const [tenantId, bystander] = [await newTenant(store()), await newTenant(store())];
    const resident = sampleVersion(2, {
      material: { kind: 'resident', handle: someBytes(16) },
      publicKey: someBytes(44),
    });
    const key = await insertKey(
      store(),
      sampleKey(tenantId, { currentVersion: 2, versions: [sampleVersion(1, { state: 'decrypt-only' }), resident] }),
    );
    const kept = await insertKey(store(), sampleKey(bystander));
    for (const each of [tenantId, bystander]) {
      await asTenant(store(), each, async (unit) => {
        await unit.tenants.addMasterKeyWraps(wrapsOf(each));
        await unit.idempotency.claim('k', someBytes(32));
        await unit.idempotency.complete('k', someBytes(8), 3600);
      });
    }

    await asTenant(store(), tenantId, (unit) => unit.tenants.shred(shreddedTenant(tenantId)));

    await asTenant(store(), tenantId, async (unit) => {
      assertMembers(await unit.tenants.get(tenantId), { state: 'shredded' });
      assert.deepEqual(await unit.tenants.masterKeyWraps(tenantId), []);
      // The answer is gone; nobody can have the key.
      await assert.rejects(unit.idempotency.complete('k', someBytes(8), 3600), {
        code: 'INTERNAL_ERROR',
      });
    });
    const [sealed] = key.versions;
    const versions = [{ ...sealed, material: { kind: 'none' } }, resident];
    assert.deepEqual(await store().readKey(tenantId, key.keyId).then(comparable), comparable({ ...key, versions }));

    assert.deepEqual(await store().readKey(bystander, kept.keyId).then(comparable), comparable(kept));
    await asTenant(store(), bystander, async (unit) => {
      assertMembers(await unit.tenants.get(bystander), { state: 'active' });
      assert.equal((await unit.tenants.masterKeyWraps(bystander)).length, 3);
      assertMembers(await unit.idempotency.claim('k', someBytes(32)), { key: 'k' });
    });
  });

  it('lets the call that shreds a tenant complete its own idempotency key', async () => {
    const tenantId = await newTenant(store());
    await asTenant(store(), tenantId, async (unit) => {
      await unit.idempotency.claim('k', someBytes(32));
      await unit.tenants.shred(shreddedTenant(tenantId));
      await unit.idempotency.complete('k', someBytes(8), 3600);
    });
    assertMembers(await asTenant(store(), tenantId, (unit) => unit.tenants.get(tenantId)), {
      state: 'shredded',
    });
  });

  it('shreds for ever: a second time changes nothing, and nothing is made or changed any more', async () => {
    const tenantId = await newTenant(store());
    const { keyId } = await insertKey(store(), sampleKey(tenantId));
    await store().transact(SYSTEM, (unit) => unit.tenants.shred(shreddedTenant(tenantId)));
    await store().transact(SYSTEM, (unit) => unit.tenants.shred(shreddedTenant(tenantId)));
    const key = await store().readKey(tenantId, keyId);
    if (key === undefined) throw new Error('the key is gone');
    const attempts = [
      asTenant(store(), tenantId, (unit) => unit.tenants.addMasterKeyWraps(wrapsOf(tenantId))),
      insertKey(store(), sampleKey(tenantId)),
      asTenant(store(), tenantId, (unit) => unit.keys.update(rotated(key), 1)),
      asTenant(store(), tenantId, (unit) => unit.keys.update(nextRevision(key), 1)),
      asTenant(store(), tenantId, (unit) => unit.tokens.insert(sampleToken(tenantId))),
      store().transact(SYSTEM, (unit) => unit.tokens.insert(sampleToken(tenantId))),
      asTenant(store(), tenantId, (unit) => unit.idempotency.claim('k', someBytes(32))),
    ];
    for (const attempt of await Promise.allSettled(attempts)) {
      assert.equal(attempt.status, 'rejected');
      assertMembers(attempt.reason, { code: 'CONFLICT' });
    }
    const unknown = store().transact(SYSTEM, (unit) => unit.tenants.shred(shreddedTenant(newId())));
    await assert.rejects(unknown, { code: 'NOT_FOUND' });
  });

  it('lets nobody else shred a tenant that is locked', async () => {
    const tenantId = await newTenant(store());
    const key = sampleKey(tenantId);
    let shredding: Promise<void> | undefined;
    await asTenant(store(), tenantId, async (unit) => {
      await unit.tenants.get(tenantId, { lock: true });
      shredding = store().transact(SYSTEM, (other) => other.tenants.shred(shreddedTenant(tenantId)));
      await Promise.race([shredding, sleep(50)]);
      assertMembers(await unit.tenants.get(tenantId), { state: 'active' });
      await unit.keys.insert(key);
    });
    await shredding;
    const material = (await store().readKey(tenantId, key.keyId))?.versions.map((version) => version.material);
    assert.deepEqual(material, [{ kind: 'none' }]);
  });

  it('keeps the check values of roots', async () => {
    const root = { providerId: `root ${newId()}`, checkValue: 'c0ffee' };
    await store().transact(SYSTEM, async (unit) => {
      await unit.tenants.lockRoots();
      await unit.tenants.addRoot(root);
    });
    const roots = await store().transact(SYSTEM, (unit) => unit.tenants.roots());
    assert.deepEqual(
      roots.filter(({ providerId }) => providerId === root.providerId),
      [root],
    );
    const again = store().transact(SYSTEM, (unit) => unit.tenants.addRoot(root));
    await assert.rejects(again, { code: 'CONFLICT' });
  });

  it('lets one unit at a time change the roots', async () => {
    const prefix = newId();
    const first = (): Promise<boolean> =>
      store().transact(SYSTEM, async (unit) => {
        await unit.tenants.lockRoots();
        const known = (await unit.tenants.roots()).some((root) => root.providerId.startsWith(prefix));
        await sleep(5);
        if (!known) await unit.tenants.addRoot({ providerId: `${prefix} ${newId()}`, checkValue: 'c0ffee' });
        return !known;
      });
    const outcomes = await Promise.all([first(), first(), first(), first()]);
    assert.equal(outcomes.filter((added) => added).length, 1);
  });
}
