import { setTimeout as sleep } from 'node:timers/promises';
import type { Storage } from '@qnsp/kms-core';
import { type FeedEvent, newId } from '@qnsp/kms-core/ports';
import { delivered, insertKey, newTenant, sampleEvent, sampleKey, SYSTEM } from '@qnsp/kms-core/testing';
import { openPgliteStore, openPostgresStore, type PostgresStoreOptions } from '@qnsp/kms-store-drizzle';
import { createDatabase, type TestDatabase } from '@qnsp/test-harness';
import type { Sql } from 'postgres';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { namesIn } from '../src/driver/names.ts';
import { inSchema } from '../src/migrate/in-schema.ts';
import { allMigrations } from '../src/migrate/prepare-database.ts';
import { rawSql } from './raw-sql.ts';

describe('the name of a schema', () => {
  it.each(['', 'Kms', '1kms', 'a b', 'a"b', "a'b", 'a.b', 'a$b', 'ä', 'a'.repeat(42), 'public', 'pg_kms', 'drizzle'])(
    'is not %j',
    async (schema) => {
      const refused = { code: 'BAD_REQUEST', message: expect.stringContaining('name of the schema') };
      await expect(openPgliteStore({ dataDir: 'memory://', schema })).rejects.toMatchObject(refused);
      await expect(
        openPostgresStore({ url: 'postgresql://127.0.0.1:1/x', ssl: 'disable', migrate: 'auto', schema }),
      ).rejects.toMatchObject(refused);
    },
  );

  it('may be as long as it is said', () => {
    const { role, channel } = namesIn('a'.repeat(41));
    // The end of a longer identifier is lost, and with it what tells two of them apart.
    expect([role, channel].every((name) => name.length <= 63)).toBe(true);
  });
});

describe('the default schema', () => {
  it('has the names and the migrations that it always had', () => {
    expect(namesIn()).toEqual({
      schema: 'kms',
      role: 'kms_app',
      channel: 'kms_changes',
      journal: { schema: 'drizzle', table: 'kms_migrations' },
      locks: { migrations: '4345454876501542', fleet: '2155536890398760', roots: '4360313523663637' },
    });
    const migrations = allMigrations();
    expect(migrations.map((migration) => inSchema(migration, namesIn()))).toEqual(migrations);
  });
});

it('keeps nothing of the default name in the migrations of another schema but the names of settings', () => {
  const rendered = allMigrations().flatMap((migration) => inSchema(migration, namesIn('other')).sql);
  const code = rendered.join('\n').replaceAll(/--.*$/gm, '').replaceAll("'qnsp-kms other ", '');
  const named = new Set(code.match(/\S*\b(?:kms|drizzle)\b\S*/g));
  for (const text of named) expect(text).toMatch(/(?:current_setting|set_config)\('{1,2}kms\.[a-z_]+'/);
  expect(named.size).toBeGreaterThan(0);
});

describe('stores in two schemas of one database', () => {
  let database: TestDatabase;
  let sql: Sql;
  const opened: Storage[] = [];

  beforeEach(async () => {
    database = await createDatabase();
    sql = rawSql(database.url);
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((storage) => storage.close()));
    await sql.end();
    await database.drop();
  });

  async function open(schema: string | undefined, options: Partial<PostgresStoreOptions> = {}) {
    const named = schema === undefined ? {} : { schema };
    const storage = await openPostgresStore({
      url: database.url,
      ssl: 'disable',
      migrate: 'auto',
      ...named,
      ...options,
    });
    opened.push(storage);
    return storage;
  }

  it('have their own rows, notices and evidence', async () => {
    const [one, two] = await Promise.all([open(undefined), open('other')]);
    const heard: FeedEvent[] = [];
    two.changes.subscribe((event) => heard.push(event));
    one.changes.subscribe(() => undefined);
    await Promise.all([delivered(one.changes), delivered(two.changes)]);
    const keys = [];
    for (const [storage, schema] of [
      [one, 'kms'],
      [two, 'other'],
    ] as const) {
      const key = await insertKey(storage.store, sampleKey(await newTenant(storage.store)));
      await sql.unsafe(`update ${schema}.keys set name = 'changed', revision = revision + 1`);
      keys.push(key);
    }
    await delivered(one.changes);
    await delivered(two.changes);
    const [key, own] = keys;
    if (key === undefined || own === undefined) throw new Error('two keys were made');
    expect(await one.store.readKey(key.tenantId, key.keyId)).toMatchObject({ name: 'changed' });
    expect(await two.store.readKey(key.tenantId, key.keyId)).toBeUndefined();
    expect(heard.filter((event) => event.kind === 'key')).toEqual([{ kind: 'key', keyId: own.keyId }]);
    await one.evidence.append([sampleEvent(key.tenantId)]);
    expect([await one.evidence.unsealedTenants(), await two.evidence.unsealedTenants()]).toEqual([[key.tenantId], []]);
  });

  it('have their own fleets, whose locks do not meet', async () => {
    const [one, two] = await Promise.all([open(undefined), open('other')]);
    const node = { nodeId: newId(), version: '1', settings: {} };
    const none: unknown = await one.fleet.join(node, 60_000, () => true);
    expect([none, await two.fleet.join({ ...node, nodeId: newId() }, 60_000, () => true)]).toEqual([[], []]);
    const held = Promise.withResolvers<void>();
    const holding = one.store.transact(SYSTEM, async (unit) => {
      await unit.tenants.lockRoots();
      await held.promise;
    });
    await two.store.transact(SYSTEM, (unit) => unit.tenants.lockRoots());
    let entered = false;
    const behind = one.store.transact(SYSTEM, async (unit) => {
      await unit.tenants.lockRoots();
      entered = true;
    });
    await sleep(200);
    expect(entered).toBe(false);
    held.resolve();
    await Promise.all([holding, behind]);
  });

  it('have roles of which neither may touch what the other has', async () => {
    await Promise.all([open(undefined), open('other')]);
    for (const [role, schema] of [
      ['kms_app', 'other'],
      ['kms_app_other', 'kms'],
    ] as const) {
      const asRole = sql.begin(async (tx) => {
        await tx.unsafe(`set local role ${role}`);
        await tx.unsafe(`select * from ${schema}.tenants`);
      });
      await expect(asRole).rejects.toMatchObject({ code: '42501' });
    }
  });

  it('are dropped with their schema, and the other one stays', async () => {
    const [one, two] = await Promise.all([open(undefined), open('other')]);
    const key = await insertKey(one.store, sampleKey(await newTenant(one.store)));
    await two.close();
    await sql.unsafe('drop schema other cascade');
    expect(await one.store.readKey(key.tenantId, key.keyId)).toBeDefined();
    await open(undefined);
    const again = await open('other');
    await insertKey(again.store, sampleKey(await newTenant(again.store)));
  });

  it('have the same tables, functions, policies and rights, and nothing that leads to the other', async () => {
    await Promise.all([open(undefined), open('second')]);
    const described = async (schema: string): Promise<readonly string[]> => {
      const rows = await sql.unsafe(
        `select 'relation ' || c.relname || ' ' || c.relkind::text || ' ' || c.relrowsecurity::text || c.relforcerowsecurity::text || ' ' ||
           coalesce(array_to_string(c.relacl, ','), '') || ' ' || coalesce(case when c.relkind = 'v' then pg_get_viewdef(c.oid) end, '') as text
           from pg_class c where c.relnamespace = '${schema}'::regnamespace and c.relname not like 'kms_migrations%'
         union all select 'column ' || c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' ' ||
           coalesce(array_to_string(a.attacl, ','), '') from pg_attribute a join pg_class c on c.oid = a.attrelid
           where c.relnamespace = '${schema}'::regnamespace and a.attnum > 0 and c.relname not like 'kms_migrations%'
         union all select 'function ' || pg_get_functiondef(p.oid) || coalesce(array_to_string(p.proacl, ','), '') from pg_proc p
           where p.pronamespace = '${schema}'::regnamespace
         union all select 'constraint ' || conname || ' ' || pg_get_constraintdef(oid) from pg_constraint
           where connamespace = '${schema}'::regnamespace and conrelid::regclass::text not like '%kms_migrations'
         union all select 'trigger ' || pg_get_triggerdef(t.oid) from pg_trigger t join pg_class c on c.oid = t.tgrelid
           where not t.tgisinternal and c.relnamespace = '${schema}'::regnamespace
         union all select 'policy ' || tablename || ' ' || policyname || ' ' || cmd || ' ' || qual from pg_policies where schemaname = '${schema}'
         union all select 'index ' || indexdef from pg_indexes where schemaname = '${schema}' and tablename <> 'kms_migrations'`,
      );
      // Each has since when uses are written down in it: when it was migrated.
      return rows
        .map(({ text }) => String(text).replace(/(?<=uses_known_since.*SELECT )\d+(?=::bigint)/s, 'TIME'))
        .sort();
    };
    const other = (await described('second')).map((text) =>
      text
        .replaceAll('kms_app_second', 'kms_app')
        .replaceAll('kms_changes_second', 'kms_changes')
        .replaceAll("'qnsp-kms second ", "'qnsp-kms ")
        .replaceAll(/"second"\.|\bsecond\./g, 'kms.'),
    );
    const plain = (await described('kms')).map((text) => text.replaceAll(/"kms"\./g, 'kms.'));
    expect(other.sort()).toEqual(plain.sort());
    expect(plain.length).toBeGreaterThan(200);
  });

  it('take no schema that somebody else uses, but an empty one that an administrator made', async () => {
    await sql.unsafe('create schema other');
    for (const [kind, definition] of [
      ['table other.notes', '(text text)'],
      ['view other.ones', 'as select 1 as one'],
      ['sequence other.numbers', ''],
      ['function other.one()', 'returns integer language sql as $$ select 1 $$'],
      ['type other.color', `as enum ('red')`],
      ['domain other.short', 'as varchar(3)'],
      ['collation other.plain', 'from "C"'],
      ['text search dictionary other.words', '(template = pg_catalog.simple)'],
    ] as const) {
      await sql.unsafe(`create ${kind} ${definition}`);
      await expect(open('other'), kind).rejects.toMatchObject({
        code: 'INTERNAL_ERROR',
        message: expect.stringContaining('in use by somebody else'),
      });
      await sql.unsafe(`drop ${kind}`);
    }
    const name = `owner_${database.name}`;
    await sql.unsafe(`create role ${name} login; alter schema other owner to ${name}`);
    await sql.unsafe(`do $$ begin create role kms_app_other; exception when duplicate_object then null; end $$`);
    await sql.unsafe(`grant kms_app_other to ${name}`);
    const url = new URL(database.url);
    url.username = name;
    await open('other', { url: url.href });
    const serving = `server_${database.name}`;
    await sql.unsafe(`create role ${serving} login; grant kms_app_other to ${serving}`);
    url.username = serving;
    const { store } = await open('other', { url: url.href, migrate: 'off' });
    await newTenant(store);
    await Promise.all(opened.splice(0).map((storage) => storage.close()));
    await sql.unsafe(`drop owned by ${name} cascade; drop role ${name}; drop role ${serving}`);
  });
});

describe('a store that serves only', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createDatabase();
  });
  afterAll(() => database.drop());

  it('says that migrations are pending in its schema, whatever was applied in another', async () => {
    const options = { url: database.url, ssl: 'disable' } as const;
    await (await openPostgresStore({ ...options, migrate: 'auto' })).close();
    await expect(openPostgresStore({ ...options, migrate: 'off', schema: 'other' })).rejects.toThrow(
      `The database lacks ${allMigrations().length} migration(s)`,
    );
  });
});
