import { randomBytes } from 'node:crypto';
import { softwareRoot, SYSTEM_TENANT } from '@qnsp/kms-core';
import {
  bindTenants,
  completeWraps,
  createKey,
  createTenant,
  establishRoots,
  getKey,
  KeyHierarchy,
  type Kms,
  listTenants,
  operationOfService,
  RECORD_FORMATS,
} from '@qnsp/kms-core/internal';
import type { RootProvider, Store } from '@qnsp/kms-core/ports';
import { type FailableRoot, failableRoot, SYSTEM } from '@qnsp/kms-core/testing';
import { openPostgresStore } from '@qnsp/kms-store-drizzle';
import { createDatabase, type TestDatabase } from '@qnsp/test-harness';
import type { Sql } from 'postgres';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { administrator, fixtureKms } from './migration-fixtures/fixture-kms.ts';
import { rawSql } from './raw-sql.ts';

const FIRST = { ...RECORD_FORMATS, written: 1 } as const;
const rootKey = randomBytes(32);
let database: TestDatabase;
let store: Store;
let close: () => Promise<void>;
let sql: Sql;
let kms: Kms;
let tenants: readonly string[];

beforeEach(async () => {
  database = await createDatabase();
  ({ store, close } = await openPostgresStore({ url: database.url, ssl: 'disable', migrate: 'auto' }));
  sql = rawSql(database.url);
  const before = await fixtureKms(store, rootKey, FIRST);
  const made: string[] = [];
  for (const name of ['a', 'b', 'c'])
    made.push((await createTenant({ kms: before, caller: administrator(SYSTEM_TENANT) }, { name })).tenantId);
  tenants = made;
  kms = await fixtureKms(store, rootKey);
});
afterEach(async () => {
  await sql.end();
  await close();
  await database.drop();
});

const first = () => tenants[0] ?? '';
const record = (tenantId: string) => store.transact(SYSTEM, (unit) => unit.tenants.get(tenantId));
const wrapsOf = (tenantId: string) => store.transact(SYSTEM, (unit) => unit.tenants.masterKeyWraps(tenantId));

const bindSome = (hierarchy: KeyHierarchy, limit: number) =>
  bindTenants(operationOfService({ ...kms, hierarchy }, 'bindTenants'), { limit });

it('tenants from before records of tenants had a MAC get one, some at a time, and keep their keys', async () => {
  const { keyId } = await createKey({ kms, caller: administrator(first()) }, {});
  expect(await bindSome(kms.hierarchy, 2)).toEqual({ bound: 2, left: 1 });
  expect(await bindSome(kms.hierarchy, 2)).toEqual({ bound: 1, left: 0 });
  expect(await bindSome(kms.hierarchy, 2)).toEqual({ bound: 0, left: 0 });
  for (const tenantId of tenants) {
    expect(await record(tenantId)).toMatchObject({ mac: { format: 2 } });
    expect(await wrapsOf(tenantId)).toMatchObject([{ format: 2 }]);
  }
  // By a node that had opened the tenant before, and by one that starts now.
  for (const node of [kms, await fixtureKms(store, rootKey)])
    expect(await getKey({ kms: node, caller: administrator(first()) }, { keyId })).toMatchObject({ keyId });
  expect((await listTenants({ kms, caller: administrator(SYSTEM_TENANT) }, {})).items).toHaveLength(3);
});

it('their MAC cannot be taken away again', async () => {
  await bindSome(kms.hierarchy, 3);
  await sql`update kms.tenants set mac_format = 1, mac_tag = null, mac_tmk_version = null where tenant_id = ${first()}`;
  const refused = { code: 'INTERNAL_ERROR' };
  await expect((await fixtureKms(store, rootKey)).hierarchy.masterKeys(first())).rejects.toMatchObject(refused);
  await sql`update kms.tenant_master_key_wraps set format = 1 where tenant_id = ${first()}`;
  await expect((await fixtureKms(store, rootKey)).hierarchy.masterKeys(first())).rejects.toMatchObject(refused);
});

it('nothing is done while nodes may run that would not understand it', async () => {
  const careful = await fixtureKms(store, rootKey, FIRST);
  expect(await bindSome(careful.hierarchy, 3)).toEqual({ bound: 0, left: 3 });
  expect(await record(first())).toMatchObject({ mac: null });
  expect(await wrapsOf(first())).toMatchObject([{ format: 1 }]);
});

it('a row that somebody gave an optional field gets no MAC', async () => {
  await sql`update kms.tenants set fields = '{"limit": 1}' where tenant_id = ${first()}`;
  expect(await bindSome(kms.hierarchy, 3)).toEqual({ bound: 2, left: 1 });
  expect(await record(first())).toMatchObject({ mac: null });
});

it('many nodes at once do it once', async () => {
  const nodes = await Promise.all([1, 2, 3, 4].map(() => fixtureKms(store, rootKey)));
  const runs = await Promise.all(nodes.map((node) => bindSome(node.hierarchy, 3)));
  expect(runs.reduce((sum, { bound }) => sum + bound, 0)).toBe(3);
  for (const tenantId of tenants) expect(await wrapsOf(tenantId)).toHaveLength(1);
});

it('no wrap is lost while a root is away, and none of the first format comes back beside the others', async () => {
  const roots: [RootProvider, FailableRoot] = [softwareRoot('software', rootKey), failableRoot('hsm', randomBytes(32))];
  const [, hsm] = roots;
  await store.transact(SYSTEM, async (unit) =>
    unit.tenants.addRoot({ providerId: hsm.id, checkValue: await hsm.checkValue() }),
  );
  const hierarchy = new KeyHierarchy(store, roots);
  await establishRoots(store, hierarchy, roots);
  await completeWraps(operationOfService({ ...kms, hierarchy }, 'completeWraps'));
  expect(await wrapsOf(first())).toMatchObject([{ format: 1 }, { format: 1 }]);
  hsm.goAway();
  expect(await bindSome(hierarchy, 3)).toEqual({ bound: 0, left: 3 });
  expect(await wrapsOf(first())).toMatchObject([{ format: 1 }, { format: 1 }]);
  hsm.comeBack();
  expect(await bindSome(hierarchy, 3)).toEqual({ bound: 3, left: 0 });
  expect(await wrapsOf(first())).toMatchObject([{ format: 2 }, { format: 2 }]);
  // A wrap that is lacking later is completed in the format of the others.
  await sql`delete from kms.tenant_master_key_wraps where tenant_id = ${first()} and provider_id = ${hsm.id}`;
  await completeWraps(operationOfService({ ...kms, hierarchy }, 'completeWraps'));
  expect(await wrapsOf(first())).toMatchObject([{ format: 2 }, { format: 2 }]);
  await expect(new KeyHierarchy(store, [hsm]).masterKeys(first())).resolves.toBeDefined();
});
