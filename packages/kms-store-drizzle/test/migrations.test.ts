import { globSync } from 'node:fs';
import { join } from 'node:path';
import { createDatabase, type TestDatabase } from '@qnsp/test-harness';
import { newTenant } from '@qnsp/kms-core/testing';
import { openPostgresStore, type PostgresStoreOptions } from '@qnsp/kms-store-drizzle';
import type { Sql } from 'postgres';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rawSql } from './raw-sql.ts';

const MIGRATIONS = globSync('*.sql', { cwd: join(import.meta.dirname, '../migrations') }).length;

describe('migrations', () => {
  let database: TestDatabase;
  let sql: Sql;

  beforeEach(async () => {
    database = await createDatabase();
    sql = rawSql(database.url);
  });
  afterEach(async () => {
    await sql.end();
    await database.drop();
  });

  const journal = async (): Promise<unknown[]> => [
    ...(await sql`select hash, created_at from drizzle.kms_migrations order by id`),
  ];

  async function open(migrate: PostgresStoreOptions['migrate'], url = database.url): Promise<void> {
    const { store, close } = await openPostgresStore({ url, ssl: 'disable', migrate });
    try {
      await store.ping();
      if (migrate !== 'only') await newTenant(store);
    } finally {
      await close();
    }
  }

  /** A login that may use this database, and what it is granted; the name is unknown to other tests. */
  async function login(grants: readonly string[]): Promise<{ readonly url: string; drop(): Promise<void> }> {
    const name = `login_${database.name}`;
    await sql.unsafe(`create role ${name} login`);
    for (const grant of grants) await sql.unsafe(grant.replaceAll('LOGIN', name));
    const url = new URL(database.url);
    url.username = name;
    return {
      url: url.href,
      async drop() {
        await sql.unsafe(`reassign owned by ${name} to postgres; drop owned by ${name}; drop role ${name}`);
      },
    };
  }

  it('are applied to a fresh database, and once', async () => {
    await open('auto');
    const applied = await journal();
    expect(applied).toHaveLength(MIGRATIONS);
    await open('auto');
    await open('only');
    expect(await journal()).toEqual(applied);
  });

  it('are applied by one of many processes that start at the same time', async () => {
    await Promise.all([open('auto'), open('auto'), open('only'), open('auto')]);
    expect(await journal()).toHaveLength(MIGRATIONS);
  });

  it('are applied on several databases of a server at the same time, on which the role is new', async () => {
    const others = await Promise.all([createDatabase(), createDatabase(), createDatabase()]);
    await Promise.all([database, ...others].map((each) => open('auto', each.url)));
    await Promise.all(others.map((each) => each.drop()));
    expect(await journal()).toHaveLength(MIGRATIONS);
  });

  it('do not touch a database that is newer than this version', async () => {
    await open('auto');
    await sql`insert into drizzle.kms_migrations (hash, created_at) values ('of the future', 99999999999999)`;
    for (const mode of ['auto', 'off', 'only'] as const) {
      await expect(open(mode)).rejects.toMatchObject({
        code: 'INTERNAL_ERROR',
        message: expect.stringContaining(
          'The database is newer than this version of the service: it has 1 migration(s)',
        ),
      });
    }
  });

  it('do not run, nor does the service, where they are off and pending', async () => {
    await expect(open('off')).rejects.toThrow(`The database lacks ${MIGRATIONS} migration(s)`);
    expect([...(await sql`select to_regnamespace('kms') as found`)]).toEqual([{ found: null }]);
    await open('auto');
    await open('off');
    await sql`delete from drizzle.kms_migrations where id = ${MIGRATIONS}`;
    await expect(open('off')).rejects.toThrow('The database lacks 1 migration(s)');
  });

  it('leave a database as it was when one of them fails', async () => {
    await sql`create schema kms`;
    await expect(open('auto')).rejects.toMatchObject({ code: 'INTERNAL_ERROR' });
    expect([...(await sql`select to_regclass('drizzle.kms_migrations') as found`)]).toEqual([{ found: null }]);
    await sql`drop schema kms`;
    await open('auto');
  });

  it('run as a user who owns the database and nothing else', async () => {
    const owner = await login([`alter database ${database.name} owner to LOGIN`, 'grant kms_app to LOGIN']);
    await open('auto', owner.url);
    await open('off', owner.url);
    await owner.drop();
  });

  it('need no right at all in a process that only serves', async () => {
    await open('auto');
    const server = await login(['grant kms_app to LOGIN']);
    await open('off', server.url);
    await server.drop();
  });

  it('say what an administrator has to do for a user who cannot take the role', async () => {
    const owner = await login([`alter database ${database.name} owner to LOGIN`]);
    await expect(open('auto', owner.url)).rejects.toMatchObject({
      code: 'INTERNAL_ERROR',
      message: expect.stringContaining('CREATE ROLE kms_app NOLOGIN; GRANT kms_app TO'),
    });
    await open('auto');
    await expect(open('off', owner.url)).rejects.toThrow('cannot take the role kms_app');
    await owner.drop();
  });
});
