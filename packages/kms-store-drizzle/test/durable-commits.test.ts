import { SYSTEM } from '@qnsp/kms-core/testing';
import { createDatabase, type TestDatabase } from '@qnsp/test-harness';
import { openPostgresStore } from '@qnsp/kms-store-drizzle';
import type { Sql } from 'postgres';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { namesIn } from '../src/driver/names.ts';
import { scopeStatement } from '../src/driver/scope.ts';
import { rawSql } from './raw-sql.ts';

let database: TestDatabase;
let sql: Sql;

beforeAll(async () => {
  database = await createDatabase();
  const { close } = await openPostgresStore({ url: database.url, ssl: 'disable', migrate: 'auto' });
  await close();
  sql = rawSql(database.url);
});
afterAll(async () => {
  await sql.end();
  await database.drop();
});

it.each([
  ['off', 'on'],
  ['local', 'local'],
  ['remote_write', 'remote_write'],
  ['on', 'on'],
  ['remote_apply', 'remote_apply'],
])(
  'a unit of work in a session with synchronous_commit = %s has %s, and the session keeps its own',
  async (own, inUnit) => {
    const connection = await sql.reserve();
    const present = async () => (await connection`show synchronous_commit`)[0]?.['synchronous_commit'] as unknown;
    try {
      await connection.unsafe(`set synchronous_commit = ${own}; begin; ${scopeStatement(namesIn(), SYSTEM)}`);
      expect(await present()).toBe(inUnit);
      await connection.unsafe('commit');
      expect(await present()).toBe(own);
    } finally {
      connection.release();
    }
  },
);
