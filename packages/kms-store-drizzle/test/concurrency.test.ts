import type { KeyRecord, Store } from '@qnsp/kms-core';
import { asTenant, insertKey, newTenant, rotated, sampleKey, SYSTEM } from '@qnsp/kms-core/testing';
import { openPostgresStore } from '@qnsp/kms-store-drizzle';
import { createDatabase, type TestDatabase } from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** What only a store shows that runs units at the same time. */
describe('units at the same time', () => {
  let database: TestDatabase;
  let store: Store;
  let close: () => Promise<void>;

  beforeAll(async () => {
    database = await createDatabase();
    ({ store, close } = await openPostgresStore({ url: database.url, ssl: 'disable', migrate: 'auto' }));
  });
  afterAll(async () => {
    await close();
    await database.drop();
  });

  it('share the due keys out without waiting for each other', async () => {
    const tenantId = await newTenant(store);
    const rotation = { periodSeconds: 60, auto: true, retainVersions: null, nextRotationAt: new Date(0) };
    for (let index = 0; index < 6; index += 1) await insertKey(store, sampleKey(tenantId, { rotation }));
    const ids = (keys: readonly KeyRecord[]): string[] => keys.map((key) => key.keyId);
    const [first, second] = await store.transact(SYSTEM, async (unit) => {
      const mine = await unit.keys.lockDue('rotation', 4);
      // Ends while this unit still holds its locks.
      const theirs = await store.transact(SYSTEM, (other) => other.keys.lockDue('rotation', 4));
      return [ids(mine), ids(theirs)];
    });
    expect(first).toHaveLength(4);
    expect(second).toHaveLength(2);
    expect(new Set([...first, ...second]).size).toBe(6);
  });

  it('do not see what another has not committed, nor lose a read in its lock', async () => {
    const tenantId = await newTenant(store);
    const key = await insertKey(store, sampleKey(tenantId));
    await asTenant(store, tenantId, async (unit) => {
      await unit.keys.get(key.keyId, { lock: true });
      await unit.keys.update(rotated(key), 1);
      await expect(store.readKey(tenantId, key.keyId)).resolves.toMatchObject({ revision: 1, versions: { length: 1 } });
    });
    await expect(store.readKey(tenantId, key.keyId)).resolves.toMatchObject({ revision: 2, versions: { length: 2 } });
  });

  it('leave nothing sealed behind a tenant that is shredded while its keys are made and rotated', async () => {
    for (let round = 0; round < 5; round += 1) {
      const tenantId = await newTenant(store);
      const keys = await Promise.all(Array.from({ length: 4 }, () => insertKey(store, sampleKey(tenantId))));
      const rotate = async ({ keyId }: KeyRecord): Promise<never> => {
        for (;;) {
          await asTenant(store, tenantId, async (unit) => {
            const key = await unit.keys.get(keyId, { lock: true });
            if (key !== undefined) await unit.keys.update(rotated(key), key.revision);
          });
        }
      };
      const make = async (): Promise<never> => {
        for (;;) await insertKey(store, sampleKey(tenantId));
      };
      const workers = Promise.allSettled([...keys.map(rotate), make()]);
      await new Promise((resolve) => setTimeout(resolve, 20 + round));
      await asTenant(store, tenantId, (unit) => unit.tenants.shred(tenantId));
      for (const worker of await workers) expect(worker).toMatchObject({ reason: { code: 'CONFLICT' } });
      const { items } = await asTenant(store, tenantId, (unit) => unit.keys.list({ limit: 200, after: null }));
      const kinds = items.flatMap((key) => key.versions.map((version) => version.material.kind));
      expect(items.length).toBeGreaterThanOrEqual(4);
      expect(new Set(kinds)).toEqual(new Set(['none']));
    }
  });
});
