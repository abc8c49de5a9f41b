import { expect, it } from 'vitest';
import { newId } from '../model/identifiers.ts';
import type { ResidentKeyName } from '../ports/resident-keys.ts';
import type { Store } from '../ports/store.ts';
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
    await asTenant(store(), tenantId, (unit) => unit.residents.claim(claimOf(name)));
    const claims = await store().transact(SYSTEM, (unit) => unit.residents.claims(providerId));
    expect(claims).toEqual([{ ...claimOf(name), claimedAt: expect.any(Date) }]);
    const again = asTenant(store(), tenantId, (unit) => unit.residents.claim(claimOf(name)));
    await expect(again).rejects.toMatchObject({ code: 'CONFLICT' });
    await asTenant(store(), tenantId, (unit) =>
      unit.residents.claim({ ...claimOf(name), providerId: `other ${providerId}` }),
    );
    const release = () => asTenant(store(), tenantId, (unit) => unit.residents.release(providerId, name));
    expect((await Promise.all([release(), release(), release()])).sort()).toEqual([false, false, true]);
    await expect(store().transact(SYSTEM, (unit) => unit.residents.claims(providerId))).resolves.toEqual([]);
  });

  it('neither shows nor releases the claim of another tenant', async () => {
    const [mine, theirs] = [await newTenant(store()), await newTenant(store())];
    const name = nameOf(theirs);
    const claiming = asTenant(store(), mine, (unit) => unit.residents.claim(claimOf(name)));
    await expect(claiming).rejects.toMatchObject({ code: 'TENANT_MISMATCH' });
    await asTenant(store(), theirs, (unit) => unit.residents.claim(claimOf(name)));
    await expect(asTenant(store(), mine, (unit) => unit.residents.release(providerId, name))).resolves.toBe(false);
    const claims = asTenant(store(), theirs, (unit) => unit.residents.claims(providerId));
    await expect(claims).rejects.toMatchObject({ code: 'INTERNAL_ERROR' });
    const versions = asTenant(store(), theirs, (unit) => unit.residents.versions(providerId));
    await expect(versions).rejects.toMatchObject({ code: 'INTERNAL_ERROR' });
    await expect(asTenant(store(), theirs, (unit) => unit.residents.release(providerId, name))).resolves.toBe(true);
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
