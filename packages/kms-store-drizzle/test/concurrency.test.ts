import { randomBytes } from 'node:crypto';
import { SYSTEM_TENANT } from '@qnsp/kms-core';
import { createTenant, type Kms, revokeApiToken, shredTenant } from '@qnsp/kms-core/internal';
import { type KeyRecord, newId, type Store } from '@qnsp/kms-core/ports';
import {
  asTenant,
  insertKey,
  newTenant,
  revoked,
  rotated,
  sampleKey,
  sampleToken,
  someBytes,
  SYSTEM,
  shreddedTenant,
} from '@qnsp/kms-core/testing';
import { openPostgresStore } from '@qnsp/kms-store-drizzle';
import { createDatabase, type TestDatabase } from '@qnsp/test-harness';
import type { Sql } from 'postgres';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { administrator, fixtureKms } from './migration-fixtures/fixture-kms.ts';
import { rawSql } from './raw-sql.ts';

/** What only a store shows that runs units at the same time. */
describe('units at the same time', () => {
  let database: TestDatabase;
  let store: Store;
  let close: () => Promise<void>;
  let kms: Kms;
  let sql: Sql;

  beforeAll(async () => {
    database = await createDatabase();
    ({ store, close } = await openPostgresStore({ url: database.url, ssl: 'disable', migrate: 'auto' }));
    kms = await fixtureKms(store, randomBytes(32));
    sql = rawSql(database.url);
  });
  afterAll(async () => {
    await sql.end();
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
      await asTenant(store, tenantId, (unit) => unit.tenants.shred(shreddedTenant(tenantId)));
      for (const worker of await workers) expect(worker).toMatchObject({ reason: { code: 'CONFLICT' } });
      const { items } = await asTenant(store, tenantId, (unit) => unit.keys.list({ limit: 200, after: null }));
      const kinds = items.flatMap((key) => key.versions.map((version) => version.material.kind));
      expect(items.length).toBeGreaterThanOrEqual(4);
      expect(new Set(kinds)).toEqual(new Set(['none']));
    }
  });

  it('leave no live token and no answer behind a tenant that is shredded while they are made', async () => {
    const tenantId = await makeTenant();
    const token = sampleToken(tenantId);
    const shredding = await asTenant(store, tenantId, async (unit) => {
      await unit.idempotency.claim('made meanwhile', someBytes(32));
      await unit.idempotency.complete('made meanwhile', someBytes(8), 3600);
      await unit.tokens.insert(token);
      const running = shred(tenantId);
      await stopsAtALock(1, running);
      return { running };
    });
    await expect(shredding.running).resolves.toMatchObject({ state: 'shredded' });
    expect((await store.findToken(token.hash))?.revokedAt).toBeInstanceOf(Date);
    expect(await sql`select key from kms.idempotency_keys where tenant_id = ${tenantId}`).toEqual([]);
  });

  it('shred a tenant once', async () => {
    const tenantId = await makeTenant();
    const { shreds } = await sql.begin(async (tx) => {
      await tx`select from kms.tenants where tenant_id = ${tenantId} for update`;
      const both = [shred(tenantId), shred(tenantId)];
      await stopsAtALock(2, ...both);
      return { shreds: Promise.allSettled(both) };
    });
    // Who comes second finds it done.
    expect(await shreds).toMatchObject(
      Array.from({ length: 2 }, () => ({ status: 'fulfilled', value: { state: 'shredded' } })),
    );
  });

  it('shred a tenant although one of its tokens is revoked at the same moment', async () => {
    const tenantId = await makeTenant();
    const token = sampleToken(tenantId);
    await asTenant(store, tenantId, (unit) => unit.tokens.insert(token));
    const shredding = await asTenant(store, tenantId, async (unit) => {
      await unit.tokens.revoke(revoked(token, new Date('2027-01-01T00:00:00.001Z')));
      const running = shred(tenantId);
      await stopsAtALock(1, running);
      return { running };
    });
    await expect(shredding.running).resolves.toMatchObject({ state: 'shredded' });
    expect((await store.findToken(token.hash))?.revokedAt).toEqual(new Date('2027-01-01T00:00:00.001Z'));
  });

  it('leave no live token below one that is revoked, and then with its lineage, while it creates another', async () => {
    const tenantId = await makeTenant();
    const top = sampleToken(tenantId);
    const child = sampleToken(tenantId, { fields: { parentTokenId: top.tokenId } });
    await asTenant(store, tenantId, (unit) => unit.tokens.insert(top));
    const revoke = (cascade: boolean) =>
      revokeApiToken({ kms, caller: administrator(tenantId) }, { tokenId: top.tokenId, cascade });
    const { alone, lineage } = await asTenant(store, tenantId, async (unit) => {
      await unit.tokens.get(top.tokenId, { lock: true });
      await unit.tokens.insert(child);
      const first = revoke(false);
      await stopsAtALock(1, first);
      const second = revoke(true);
      await stopsAtALock(2, first, second);
      return { alone: first, lineage: second };
    });
    await expect(alone).resolves.toEqual({ revoked: 1, more: false });
    await expect(lineage).resolves.toEqual({ revoked: 1, more: false });
    expect((await store.findToken(child.hash))?.revokedAt).toBeInstanceOf(Date);
  });

  async function makeTenant(): Promise<string> {
    const { tenantId } = await createTenant({ kms, caller: administrator(SYSTEM_TENANT) }, { name: 'acme' });
    return tenantId;
  }

  function shred(tenantId: string) {
    const idempotency = { key: newId(), fingerprint: someBytes(32) };
    const confirmation = `SHRED-${tenantId}`;
    return shredTenant(
      { kms, caller: administrator(tenantId), idempotency },
      { tenantId, confirmation, reason: 'test' },
    );
  }

  /** Waits until so many calls wait for a lock of another; one that ends instead ends the wait, too. */
  async function stopsAtALock(count: number, ...calls: readonly Promise<unknown>[]): Promise<void> {
    let ended = false;
    const watch = rawSql(database.url);
    for (const call of calls) void call.catch(() => undefined).then(() => (ended = true));
    await vi.waitFor(
      async () => {
        const waiting = await watch`
          select pid from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`;
        expect(ended || waiting.length >= count).toBe(true);
      },
      { timeout: 20_000, interval: 20 },
    );
    await watch.end();
  }
});
