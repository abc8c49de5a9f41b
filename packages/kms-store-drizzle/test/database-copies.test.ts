import { createKey, revokeKey } from '@qnsp/kms-core/internal';
import type { DatabaseCopies } from '@qnsp/kms-core/ports';
import { openPostgresStore } from '@qnsp/kms-store-drizzle';
import { createDatabase, type TestDatabase } from '@qnsp/test-harness';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { administrator, fixtureKms } from './migration-fixtures/fixture-kms.ts';
import { fillDatabase } from './migration-fixtures/fill-database.ts';
import { rawSql } from './raw-sql.ts';

const databases: TestDatabase[] = [];
let original: TestDatabase;

beforeEach(async () => {
  original = await createDatabase();
  databases.push(original);
});
afterEach(async () => {
  while (databases.length > 0) await databases.pop()?.drop();
});

async function withCopies<T>(database: TestDatabase, work: (copies: DatabaseCopies) => Promise<T>): Promise<T> {
  const { copies, close } = await openPostgresStore({ url: database.url, ssl: 'disable', migrate: 'auto' });
  try {
    return await work(copies);
  } finally {
    await close();
  }
}

async function execute(database: TestDatabase, statement: string): Promise<readonly object[]> {
  const sql = rawSql(database.url);
  try {
    return await sql.unsafe(statement);
  } finally {
    await sql.end();
  }
}

/** The same data in another database, as a restored dump has it. */
async function copyOf(database: TestDatabase): Promise<TestDatabase> {
  const copy = await createDatabase();
  databases.push(copy);
  const admin = { ...copy, url: copy.url.replace(copy.name, 'postgres') };
  await execute(admin, `drop database ${copy.name}`);
  await execute(admin, `create database ${copy.name} template ${database.name}`);
  return copy;
}

it('a database where the data began is no copy, however often it is looked at', async () => {
  for (let start = 0; start < 2; start += 1)
    expect(await withCopies(original, (copies) => copies.look())).toMatchObject({ dataAsOf: null, settled: null });
  expect(await withCopies(original, (copies) => copies.keepAlive())).toBe(true);
});

it('a copy is as old as the data was last alive, and may not serve before it is settled', async () => {
  await withCopies(original, (copies) => copies.look());
  await execute(original, `update kms.database_copies set alive_at = '2026-01-02T03:04:05.678Z'`);
  const copy = await copyOf(original);
  await withCopies(copy, async (copies) => {
    expect(await copies.keepAlive()).toBe(false);
    const found = await copies.look();
    expect(found).toMatchObject({ dataAsOf: new Date('2026-01-02T03:04:05.678Z'), settled: null });
    expect(await copies.keepAlive()).toBe(false);
    expect(await copies.look()).toEqual(found);
    await copies.settle({ by: 'operator' });
    expect(await copies.keepAlive()).toBe(true);
    await copies.settle({ by: 'tombstones', tombstonesAsOf: new Date() });
    expect(await copies.look()).toMatchObject({ settled: { by: 'operator' } });
  });
  expect(await withCopies(original, (copies) => copies.keepAlive())).toBe(true);
});

it('a copy of a copy is one again, of the time when that was alive', async () => {
  await withCopies(original, (copies) => copies.look());
  const first = await copyOf(original);
  await withCopies(first, async (copies) => {
    await copies.look();
    await copies.settle({ by: 'operator' });
  });
  const [row] = await execute(first, 'select max(alive_at) as at from kms.database_copies');
  const second = await copyOf(first);
  expect(await withCopies(second, (copies) => copies.look())).toMatchObject({
    dataAsOf: Reflect.get(row ?? {}, 'at') as Date,
    settled: null,
  });
});

it('tables that were made anew in the same database are a copy, too', async () => {
  await withCopies(original, (copies) => copies.look());
  await execute(
    original,
    `alter table kms.database_copies rename to before;
     create table kms.database_copies (like kms.before including all);
     insert into kms.database_copies select * from kms.before;
     grant select, insert, update on kms.database_copies to kms_app`,
  );
  expect(await withCopies(original, (copies) => copies.look())).toMatchObject({ dataAsOf: expect.any(Date) });
});

it('tombstones name what has ended, and are asked for as long as the copy does not say so itself', async () => {
  const { store, copies, close } = await openPostgresStore({ url: original.url, ssl: 'disable', migrate: 'auto' });
  const kms = await fixtureKms(store, new Uint8Array(32));
  const { tenantId } = await fillDatabase(kms);
  const caller = administrator(tenantId);
  const { keyId } = await createKey({ kms, caller }, {});
  expect(await copies.tombstones()).toBeUndefined();
  const bring = () =>
    execute(original, 'truncate kms.tombstones; insert into kms.tombstones select * from kms.tombstones_now');
  await bring();
  const exported = await execute(original, 'select kind, state from kms.tombstones order by kind, state');
  expect(exported.map((row) => Object.values(row).join(' '))).toEqual([
    'export ',
    'identity removed',
    'key destroyed',
    'key revoked',
    'key scheduled',
    'key suspended',
    'tenant shredded',
    'token revoked',
  ]);
  expect(await copies.tombstones()).toMatchObject({ exportedAt: expect.any(Date), toApply: [] });
  await execute(
    original,
    `insert into kms.tombstones values ('key', '${tenantId}', '${keyId}', 'revoked', 'end_of_life', '2026-01-01T00:00:00Z')`,
  );
  expect((await copies.tombstones())?.toApply).toEqual([
    { kind: 'key', tenantId, keyId, state: 'revoked', reason: 'end_of_life', at: new Date('2026-01-01T00:00:00Z') },
  ]);
  await revokeKey({ kms, caller }, { keyId, reason: 'end_of_life' });
  expect((await copies.tombstones())?.toApply).toEqual([]);
  await close();
});

it('a key that waits for its destruction is restored when younger tombstones do not have it, and only then', async () => {
  const { store, copies, close } = await openPostgresStore({ url: original.url, ssl: 'disable', migrate: 'auto' });
  const kms = await fixtureKms(store, new Uint8Array(32));
  const { tenantId } = await fillDatabase(kms);
  const [waiting] = await execute(original, `select key_id as id from kms.keys where state = 'deactivated'`);
  const keyId = String(Reflect.get(waiting ?? {}, 'id'));
  const bring = (at: string) =>
    execute(original, `delete from kms.tombstones; insert into kms.tombstones (kind, at) values ('export', ${at})`);
  await bring(`now() - interval '1 hour'`);
  expect((await copies.tombstones())?.toApply).toEqual([]);
  await bring(`now() + interval '1 hour'`);
  expect((await copies.tombstones())?.toApply).toMatchObject([{ kind: 'key', tenantId, keyId, state: 'restored' }]);
  await execute(
    original,
    `insert into kms.tombstones values ('key', '${tenantId}', '${keyId}', 'scheduled', null, now())`,
  );
  expect((await copies.tombstones())?.toApply).toEqual([]);
  await close();
});
