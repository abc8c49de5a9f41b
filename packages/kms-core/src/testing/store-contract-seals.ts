import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TenantId } from '../model/identifiers.ts';
import type { KeyRecord, KeyVersionRecord } from '../model/key.ts';
import type { FoundIdentities, Store, UnitOfWork } from '../ports/store.ts';
import type { Rules } from './contract.ts';
import {
  asTenant,
  comparable,
  destroyed,
  insertKey,
  newTenant,
  nextRevision,
  sampleBinding,
  sampleDenial,
  sampleKey,
  sampleMac,
  sampleVersion,
  sampleWrap,
  shreddedTenant,
  someBytes,
  SYSTEM,
  useRoot,
} from './store-samples.ts';

/** The same key with everything under another version of the master key. */
function resealed(key: KeyRecord, tmkVersion: number): KeyRecord {
  const versions = key.versions.map(
    (version): KeyVersionRecord =>
      version.material.kind === 'sealed'
        ? { ...version, material: { kind: 'sealed', tmkVersion, sealed: someBytes(60) } }
        : version,
  );
  return { ...key, versions, mac: sampleMac({ tmkVersion }) };
}

/** The same bindings and denials under another version of the master key. */
function underAnother({ bindings, denials }: FoundIdentities, tmkVersion: number): FoundIdentities {
  const mac = sampleMac({ tmkVersion });
  return {
    bindings: bindings.map((binding) => ({ ...binding, mac })),
    denials: denials.map((denial) => ({ ...denial, mac })),
  };
}

async function rotatedTenant(store: Store): Promise<TenantId> {
  const tenantId = await newTenant(store);
  const wraps = [sampleWrap(tenantId), sampleWrap(tenantId, { tmkVersion: 2 })];
  await asTenant(store, tenantId, (unit) => unit.tenants.addMasterKeyWraps(wraps));
  return tenantId;
}

async function resealEverything(unit: UnitOfWork, tenantId: TenantId, tmkVersion: number): Promise<void> {
  for (const key of await unit.seals.lockKeys(tenantId, tmkVersion, 100, []))
    await unit.seals.resealKey(resealed(key, tmkVersion));
  const identities = await unit.seals.lockIdentities(tenantId, tmkVersion, 100, []);
  await unit.seals.resealIdentities(underAnother(identities, tmkVersion));
}

/** What a tenant has under the first version of its master key: two keys, one of them destroyed, two bindings, one removed, and a denial. */
async function fill(store: Store, tenantId: TenantId) {
  const resident = sampleVersion(2, {
    material: { kind: 'resident', handle: someBytes(16) },
    publicKey: someBytes(44),
  });
  const versions = [sampleVersion(1, { state: 'decrypt-only' }), resident];
  const key = await insertKey(store, sampleKey(tenantId, { currentVersion: 2, versions }));
  const gone = destroyed(await insertKey(store, sampleKey(tenantId)));
  const bindings = [sampleBinding(tenantId), sampleBinding(tenantId)] as const;
  const denial = sampleDenial(tenantId);
  await asTenant(store, tenantId, async (unit) => {
    await unit.keys.update(gone, 1);
    for (const binding of bindings) await unit.identities.insert(binding);
    await unit.identities.remove({ ...bindings[1], removedAt: unit.now });
    await unit.identities.insertDenial(denial);
  });
  return { key, gone, bindings, denial };
}

export function sealRules({ it, before }: Rules, store: () => Store): void {
  before(() => useRoot(store()));

  it('names the tenants that have several versions of their master key, in pages, in the system scope only', async () => {
    const tenants = [await rotatedTenant(store()), await rotatedTenant(store())].sort();
    const single = await newTenant(store());
    await asTenant(store(), single, (unit) => unit.tenants.addMasterKeyWraps([sampleWrap(single)]));
    const found: TenantId[] = [];
    for (let after: TenantId | null = null; ; ) {
      const [next]: readonly TenantId[] = await store().transact(SYSTEM, (unit) => unit.seals.unfinished(1, after));
      if (next === undefined) break;
      found.push(next);
      after = next;
    }
    assert.deepEqual(found, found.toSorted());
    assert.deepEqual(
      found.filter((tenantId) => tenants.includes(tenantId)),
      tenants,
    );
    assert(!found.includes(single));
    await assert.rejects(
      asTenant(store(), single, (unit) => unit.seals.unfinished(1, null)),
      { code: 'INTERNAL_ERROR' },
    );
  });

  it('counts and locks all of a tenant that names an earlier version of its master key, and nothing of another tenant', async () => {
    const [tenantId, other] = [await rotatedTenant(store()), await rotatedTenant(store())];
    const { key, gone, bindings, denial } = await fill(store(), tenantId);
    await fill(store(), other);
    await asTenant(store(), tenantId, async (unit) => {
      assert.deepEqual(await unit.seals.count(tenantId, 2), { total: 5, left: 5 });
      assert.deepEqual(await unit.seals.count(tenantId, 1), { total: 5, left: 0 });
      assert.deepEqual(await unit.seals.count(other, 2), { total: 0, left: 0 });
      const keys = await unit.seals.lockKeys(tenantId, 2, 100, []);
      assert.deepEqual(new Set(keys.map(comparable)), new Set([key, gone].map(comparable)));
      assert.equal((await unit.seals.lockKeys(tenantId, 2, 1, [])).length, 1);
      assert.deepEqual(
        (await unit.seals.lockKeys(tenantId, 2, 100, [gone.keyId])).map(({ keyId }) => keyId),
        [key.keyId],
      );
      assert.deepEqual(await unit.seals.lockKeys(other, 2, 100, []), []);
      const found = await unit.seals.lockIdentities(tenantId, 2, 100, []);
      assert.deepEqual(
        new Set(found.bindings.map(({ bindingId }) => bindingId)),
        new Set(bindings.map(({ bindingId }) => bindingId)),
      );
      assert.deepEqual(found.denials.map(comparable), [comparable(denial)]);
      const some = await unit.seals.lockIdentities(tenantId, 2, 1, [bindings[0].bindingId, denial.denialId]);
      assert.deepEqual(
        some.bindings.map(({ bindingId }) => bindingId),
        [bindings[1].bindingId],
      );
      assert.deepEqual(some.denials, []);
    });
    assert.deepEqual(await store().transact(SYSTEM, (unit) => unit.seals.count(other, 2)), { total: 5, left: 5 });
  });

  it('finds a key of which only the material is under an earlier version of the master key', async () => {
    const tenantId = await rotatedTenant(store());
    const key = await insertKey(store(), sampleKey(tenantId));
    await asTenant(store(), tenantId, (unit) =>
      unit.keys.update(nextRevision(key, { mac: sampleMac({ tmkVersion: 2 }) }), 1),
    );
    await asTenant(store(), tenantId, async (unit) => {
      assert.deepEqual(await unit.seals.count(tenantId, 2), { total: 1, left: 1 });
      const [found] = await unit.seals.lockKeys(tenantId, 2, 1, []);
      assert(found !== undefined);
      await unit.seals.resealKey(resealed(found, 2));
      assert.deepEqual(await unit.seals.count(tenantId, 2), { total: 1, left: 0 });
    });
  });

  it('seals keys, bindings and denials again, and leaves everything else of them as it is', async () => {
    const tenantId = await rotatedTenant(store());
    await fill(store(), tenantId);
    const expected: unknown[] = [];
    await asTenant(store(), tenantId, async (unit) => {
      for (const key of await unit.seals.lockKeys(tenantId, 2, 100, [])) {
        const next = resealed(key, 2);
        await unit.seals.resealKey(next);
        expected.push(comparable(next));
      }
      const identities = underAnother(await unit.seals.lockIdentities(tenantId, 2, 100, []), 2);
      await unit.seals.resealIdentities(identities);
      expected.push(...[...identities.bindings, ...identities.denials].map(comparable));
    });
    await asTenant(store(), tenantId, async (unit) => {
      assert.deepEqual(await unit.seals.count(tenantId, 2), { total: 5, left: 0 });
      const keys = await unit.seals.lockKeys(tenantId, 3, 100, []);
      const { bindings, denials } = await unit.seals.lockIdentities(tenantId, 3, 100, []);
      assert.deepEqual(new Set([...keys, ...bindings, ...denials].map(comparable)), new Set(expected));
    });
  });

  it('writes nothing of bindings and denials but their MACs, whatever else of them is given', async () => {
    const tenantId = await rotatedTenant(store());
    await fill(store(), tenantId);
    const expected: unknown[] = [];
    await asTenant(store(), tenantId, async (unit) => {
      const { bindings, denials } = underAnother(await unit.seals.lockIdentities(tenantId, 2, 100, []), 2);
      expected.push(...[...bindings, ...denials].map(comparable));
      const fields = { liftedAt: { t: 1 } };
      await unit.seals.resealIdentities({
        bindings: bindings.map((binding) => ({ ...binding, fields, createdBy: 'somebody else' })),
        denials: denials.map((denial) => ({ ...denial, fields, createdBy: 'somebody else' })),
      });
    });
    await asTenant(store(), tenantId, async (unit) => {
      const { bindings, denials } = await unit.seals.lockIdentities(tenantId, 3, 100, []);
      assert.deepEqual(new Set([...bindings, ...denials].map(comparable)), new Set(expected));
    });
  });

  it('refuses to change anything else of a key under the name of re-sealing, or to go back to an earlier master key', async () => {
    const tenantId = await rotatedTenant(store());
    const key = resealed(await insertKey(store(), sampleKey(tenantId)), 2);
    await asTenant(store(), tenantId, async (unit) => {
      await unit.seals.lockKeys(tenantId, 2, 1, []);
      await unit.seals.resealKey(key);
    });
    const [version] = key.versions;
    assert(version !== undefined);
    const other: KeyVersionRecord = { ...version, material: { kind: 'sealed', tmkVersion: 2, sealed: someBytes(60) } };
    const attempts: readonly KeyRecord[] = [
      { ...resealed(key, 3), name: 'renamed' },
      { ...resealed(key, 3), revision: 2 },
      { ...resealed(key, 3), state: 'suspended' },
      { ...resealed(key, 3), versions: [{ ...version, material: { kind: 'none' } }] },
      { ...key, versions: [other] },
      resealed(key, 1),
    ];
    for (const attempt of attempts) {
      const work = asTenant(store(), tenantId, async (unit) => {
        await unit.seals.lockKeys(tenantId, 3, 1, []);
        await unit.seals.resealKey(attempt);
      });
      await assert.rejects(work, { code: 'INTERNAL_ERROR' });
    }
    assert.deepEqual(await store().readKey(tenantId, key.keyId).then(comparable), comparable(key));
  });

  it('destroys the earlier versions of a master key once nothing names them, and refuses every write under them from then on', async () => {
    const tenantId = await rotatedTenant(store());
    const { key, bindings } = await fill(store(), tenantId);
    const retire = () => store().transact(SYSTEM, (unit) => unit.seals.retire(tenantId, 2));
    await assert.rejects(retire(), { code: 'CONFLICT' });
    assert.equal((await asTenant(store(), tenantId, (unit) => unit.tenants.masterKeyWraps(tenantId))).length, 2);
    await asTenant(store(), tenantId, (unit) => resealEverything(unit, tenantId, 2));
    const ofTenant = asTenant(store(), tenantId, (unit) => unit.seals.retire(tenantId, 2));
    await assert.rejects(ofTenant, { code: 'INTERNAL_ERROR' });
    const unmade = store().transact(SYSTEM, (unit) => unit.seals.retire(tenantId, 3));
    await assert.rejects(unmade, { code: 'CONFLICT' });
    await retire();
    await retire();
    const wraps = await asTenant(store(), tenantId, (unit) => unit.tenants.masterKeyWraps(tenantId));
    assert.deepEqual(
      wraps.map(({ tmkVersion }) => tmkVersion),
      [2],
    );
    const stored = await store().readKey(tenantId, key.keyId);
    assert(stored !== undefined);
    const late: readonly ((unit: UnitOfWork) => Promise<unknown>)[] = [
      (unit) => unit.keys.insert(sampleKey(tenantId)),
      (unit) => unit.keys.insert(sampleKey(tenantId, { mac: sampleMac({ tmkVersion: 2 }) })),
      (unit) => unit.keys.update(nextRevision(stored), stored.revision),
      (unit) => unit.identities.insert(sampleBinding(tenantId)),
      (unit) => unit.identities.remove({ ...bindings[0], removedAt: unit.now }),
      (unit) => unit.identities.insertDenial(sampleDenial(tenantId)),
      (unit) => unit.tenants.addMasterKeyWraps([sampleWrap(tenantId)]),
    ];
    for (const write of late) {
      await assert.rejects(asTenant(store(), tenantId, write), { code: 'STORE_UNAVAILABLE', isNewerMasterKey: true });
    }
    assert.deepEqual(await asTenant(store(), tenantId, (unit) => unit.seals.count(tenantId, 2)), { total: 5, left: 0 });
    const current = nextRevision(stored, { mac: sampleMac({ tmkVersion: 2 }) });
    await asTenant(store(), tenantId, (unit) => unit.keys.update(current, stored.revision));
  });

  it('destroys no version of a master key that a unit under way writes under, and which it does not see yet', async () => {
    const tenantId = await rotatedTenant(store());
    let retiring: Promise<void> | undefined;
    await asTenant(store(), tenantId, async (unit) => {
      await unit.keys.insert(sampleKey(tenantId));
      retiring = store().transact(SYSTEM, (other) => other.seals.retire(tenantId, 2));
      retiring.catch(() => undefined);
      await Promise.race([retiring.catch(() => undefined), sleep(50)]);
    });
    assert(retiring !== undefined);
    await assert.rejects(retiring, { code: 'CONFLICT' });
    assert.deepEqual(await asTenant(store(), tenantId, (unit) => unit.seals.count(tenantId, 2)), { total: 1, left: 1 });
  });

  it('seals nothing again of a tenant that was shredded', async () => {
    const tenantId = await rotatedTenant(store());
    const key = await insertKey(store(), sampleKey(tenantId));
    await store().transact(SYSTEM, (unit) => unit.tenants.shred(shreddedTenant(tenantId)));
    assert(!(await store().transact(SYSTEM, (unit) => unit.seals.unfinished(200, null))).includes(tenantId));
    const stored = await store().readKey(tenantId, key.keyId);
    assert(stored !== undefined);
    const work = asTenant(store(), tenantId, async (unit) => {
      await unit.seals.lockKeys(tenantId, 2, 1, []);
      await unit.seals.resealKey(resealed(stored, 2));
    });
    await assert.rejects(work, { code: 'CONFLICT' });
  });
}
