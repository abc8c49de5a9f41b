import assert from 'node:assert/strict';
import { newId } from '../model/identifiers.ts';
import type { ResidentKeyName } from '../ports/resident-keys.ts';
import type { Store, UnitOfWork } from '../ports/store.ts';
import type { Rules } from './contract.ts';
import {
  asTenant,
  insertKey,
  newTenant,
  sampleKey,
  sampleVersion,
  someBytes,
  shreddedTenant,
  SYSTEM,
} from './store-samples.ts';

export function residentRules({ it }: Rules, store: () => Store): void {
  const providerId = `hsm ${newId()}`;
  const claimOf = (name: ResidentKeyName) => ({ providerId, name, kind: 'create' as const });
  const nameOf = (tenantId: string): ResidentKeyName => ({ tenantId, keyId: newId(), version: 1 });

  it('keeps a claim until it is released, and releases it once', async () => {
    const tenantId = await newTenant(store());
    const name = nameOf(tenantId);
    const { claim, now } = await asTenant(store(), tenantId, async (unit) => ({
      claim: await unit.residents.claim(claimOf(name)),
      now: unit.now,
    }));
    assert.deepEqual(claim, { ...claimOf(name), claimedAt: now, mark: claim.mark });
    assert.equal(typeof claim.mark, 'string');
    const claims = await store().transact(SYSTEM, (unit) => unit.residents.claims(providerId));
    assert.deepEqual(claims, [claim]);
    const again = asTenant(store(), tenantId, (unit) => unit.residents.claim(claimOf(name)));
    await assert.rejects(again, { code: 'CONFLICT' });
    await asTenant(store(), tenantId, (unit) =>
      unit.residents.claim({ ...claimOf(name), providerId: `other ${providerId}` }),
    );
    const release = () => asTenant(store(), tenantId, (unit) => unit.residents.release(claim));
    assert.deepEqual((await Promise.all([release(), release(), release()])).sort(), [false, false, true]);
    assert.deepEqual(await store().transact(SYSTEM, (unit) => unit.residents.claims(providerId)), []);
  });

  it('neither shows nor releases the claim of another tenant', async () => {
    const [mine, theirs] = [await newTenant(store()), await newTenant(store())];
    const name = nameOf(theirs);
    const claiming = asTenant(store(), mine, (unit) => unit.residents.claim(claimOf(name)));
    await assert.rejects(claiming, { code: 'TENANT_MISMATCH' });
    const claim = await asTenant(store(), theirs, (unit) => unit.residents.claim(claimOf(name)));
    assert.equal(await asTenant(store(), mine, (unit) => unit.residents.release(claim)), false);
    assert.equal(await asTenant(store(), mine, (unit) => unit.residents.renew(claim)), undefined);
    const claims = asTenant(store(), theirs, (unit) => unit.residents.claims(providerId));
    await assert.rejects(claims, { code: 'INTERNAL_ERROR' });
    const versions = asTenant(store(), theirs, (unit) => unit.residents.versions(providerId));
    await assert.rejects(versions, { code: 'INTERNAL_ERROR' });
    assert.equal(await asTenant(store(), theirs, (unit) => unit.residents.release(claim)), true);
  });

  it('renews and releases only the very claim, not a later one of its name, even of the same moment', async () => {
    const tenantId = await newTenant(store());
    const name = nameOf(tenantId);
    const own = `hsm ${newId()}`;
    const inUnit = <T>(work: (unit: UnitOfWork) => Promise<T>) => asTenant(store(), tenantId, work);
    const claims = () => store().transact(SYSTEM, (unit) => unit.residents.claims(own));
    const claim = () => inUnit((unit) => unit.residents.claim({ ...claimOf(name), providerId: own }));
    const first = await claim();
    const renewed = await inUnit((unit) => unit.residents.renew(first));
    assert.ok(renewed !== undefined, 'the claim was there');
    assert.deepEqual(renewed, { ...first, claimedAt: renewed.claimedAt, mark: renewed.mark });
    assert.ok(renewed.claimedAt instanceof Date && typeof renewed.mark === 'string');
    assert.ok(renewed.claimedAt.getTime() >= first.claimedAt.getTime());
    assert.equal(await inUnit((unit) => unit.residents.renew(first)), undefined);
    assert.equal(await inUnit((unit) => unit.residents.release(first)), false);
    assert.deepEqual(await claims(), [renewed]);
    assert.equal(await inUnit((unit) => unit.residents.release(renewed)), true);

    // Made so quickly one after the other, several of these begin in one millisecond.
    let earlier = await claim();
    for (let count = 0; count < 20; count += 1) {
      const gone = earlier;
      assert.equal(await inUnit((unit) => unit.residents.release(gone)), true);
      earlier = await claim();
      assert.equal(await inUnit((unit) => unit.residents.release({ ...gone, claimedAt: earlier.claimedAt })), false);
      assert.equal(await inUnit((unit) => unit.residents.renew({ ...gone, claimedAt: earlier.claimedAt })), undefined);
    }
    assert.deepEqual(await claims(), [earlier]);
  });

  it('lets of a renewal and a release at the same moment one win', async () => {
    const tenantId = await newTenant(store());
    const name = nameOf(tenantId);
    const own = `hsm ${newId()}`;
    const claim = await asTenant(store(), tenantId, (unit) =>
      unit.residents.claim({ ...claimOf(name), providerId: own }),
    );
    const [renewed, released] = await Promise.all([
      asTenant(store(), tenantId, (unit) => unit.residents.renew(claim)),
      store().transact(SYSTEM, (unit) => unit.residents.release(claim)),
    ]);
    assert.equal(released, renewed === undefined);
    const left = await store().transact(SYSTEM, (unit) => unit.residents.claims(own));
    assert.deepEqual(left, renewed === undefined ? [] : [renewed]);
  });

  it('lists the versions whose material is in an HSM, but not those of shredded tenants', async () => {
    const [tenantId, shredded] = [await newTenant(store()), await newTenant(store())];
    const provider = `hsm ${newId()}`;
    const handle = someBytes(16);
    const resident = (version: number) => sampleVersion(version, { provider, material: { kind: 'resident', handle } });
    const key = await insertKey(
      store(),
      sampleKey(tenantId, {
        currentVersion: 2,
        versions: [{ ...resident(1), state: 'decrypt-only' }, sampleVersion(2, { provider })],
      }),
    );
    await insertKey(store(), sampleKey(shredded, { versions: [resident(1)] }));
    await store().transact(SYSTEM, (unit) => unit.tenants.shred(shreddedTenant(shredded)));
    const versions = await store().transact(SYSTEM, (unit) => unit.residents.versions(provider));
    assert.deepEqual(
      versions.map((version) => ({ ...version, handle: Buffer.from(version.handle) })),
      [{ name: { tenantId, keyId: key.keyId, version: 1 }, handle: Buffer.from(handle), state: 'decrypt-only' }],
    );
  });
}
