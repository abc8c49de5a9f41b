import { expect, it } from 'vitest';
import { newId } from '../model/identifiers.ts';
import type { ResidentKeyName } from '../ports/resident-keys.ts';
import type { Store, UnitOfWork } from '../ports/store.ts';
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

export function residentRules(store: () => Store): void {
  const providerId = `hsm ${newId()}`;
  const claimOf = (name: ResidentKeyName) => ({ providerId, name, kind: 'create' as const });
  const nameOf = (tenantId: string): ResidentKeyName => ({ tenantId, keyId: newId(), version: 1 });

  it('keeps a claim until it is released, and releases it once', async () => {
    const tenantId = await newTenant(store());
    const name = nameOf(tenantId);
    const claim = await asTenant(store(), tenantId, (unit) => unit.residents.claim(claimOf(name)));
    expect(claim).toEqual({ ...claimOf(name), claimedAt: expect.any(Date), mark: expect.any(String) });
    const claims = await store().transact(SYSTEM, (unit) => unit.residents.claims(providerId));
    expect(claims).toEqual([claim]);
    const again = asTenant(store(), tenantId, (unit) => unit.residents.claim(claimOf(name)));
    await expect(again).rejects.toMatchObject({ code: 'CONFLICT' });
    await asTenant(store(), tenantId, (unit) =>
      unit.residents.claim({ ...claimOf(name), providerId: `other ${providerId}` }),
    );
    const release = () => asTenant(store(), tenantId, (unit) => unit.residents.release(claim));
    expect((await Promise.all([release(), release(), release()])).sort()).toEqual([false, false, true]);
    await expect(store().transact(SYSTEM, (unit) => unit.residents.claims(providerId))).resolves.toEqual([]);
  });

  it('neither shows nor releases the claim of another tenant', async () => {
    const [mine, theirs] = [await newTenant(store()), await newTenant(store())];
    const name = nameOf(theirs);
    const claiming = asTenant(store(), mine, (unit) => unit.residents.claim(claimOf(name)));
    await expect(claiming).rejects.toMatchObject({ code: 'TENANT_MISMATCH' });
    const claim = await asTenant(store(), theirs, (unit) => unit.residents.claim(claimOf(name)));
    await expect(asTenant(store(), mine, (unit) => unit.residents.release(claim))).resolves.toBe(false);
    await expect(asTenant(store(), mine, (unit) => unit.residents.renew(claim))).resolves.toBeUndefined();
    const claims = asTenant(store(), theirs, (unit) => unit.residents.claims(providerId));
    await expect(claims).rejects.toMatchObject({ code: 'INTERNAL_ERROR' });
    const versions = asTenant(store(), theirs, (unit) => unit.residents.versions(providerId));
    await expect(versions).rejects.toMatchObject({ code: 'INTERNAL_ERROR' });
    await expect(asTenant(store(), theirs, (unit) => unit.residents.release(claim))).resolves.toBe(true);
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
    if (renewed === undefined) expect.unreachable('the claim was there');
    expect(renewed).toEqual({ ...first, claimedAt: expect.any(Date), mark: expect.any(String) });
    expect(renewed.claimedAt.getTime()).toBeGreaterThanOrEqual(first.claimedAt.getTime());
    await expect(inUnit((unit) => unit.residents.renew(first))).resolves.toBeUndefined();
    await expect(inUnit((unit) => unit.residents.release(first))).resolves.toBe(false);
    await expect(claims()).resolves.toEqual([renewed]);
    await expect(inUnit((unit) => unit.residents.release(renewed))).resolves.toBe(true);

    // Made so quickly one after the other, several of these begin in one millisecond.
    let earlier = await claim();
    for (let count = 0; count < 20; count += 1) {
      const gone = earlier;
      expect(await inUnit((unit) => unit.residents.release(gone))).toBe(true);
      earlier = await claim();
      expect(await inUnit((unit) => unit.residents.release({ ...gone, claimedAt: earlier.claimedAt }))).toBe(false);
      expect(await inUnit((unit) => unit.residents.renew({ ...gone, claimedAt: earlier.claimedAt }))).toBeUndefined();
    }
    await expect(claims()).resolves.toEqual([earlier]);
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
    expect(released).toBe(renewed === undefined);
    const left = await store().transact(SYSTEM, (unit) => unit.residents.claims(own));
    expect(left).toEqual(renewed === undefined ? [] : [renewed]);
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
    expect(versions.map((version) => ({ ...version, handle: Buffer.from(version.handle) }))).toEqual([
      { name: { tenantId, keyId: key.keyId, version: 1 }, handle: Buffer.from(handle), state: 'decrypt-only' },
    ]);
  });
}
