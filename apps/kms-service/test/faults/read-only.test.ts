import { createDatabase, type TestDatabase } from '@qnsp/test-harness';
import type { Sql } from 'postgres';
import { afterAll, beforeAll, test } from 'vitest';
import { openAdminSession } from './database-invariants.ts';
import { type KmsOnPostgres, startKms } from './kms-on-postgres.ts';
import { RIDE, rideOut } from './ride-out.ts';

let database: TestDatabase;
let kms: KmsOnPostgres;
let sql: Sql;

beforeAll(async () => {
  database = await createDatabase();
  kms = await startKms({ databaseUrl: database.url, env: { KMS_JOB_INTERVAL_MS: '200' } });
  sql = openAdminSession(database.url);
});
afterAll(async () => {
  await sql.end({ timeout: 1 });
  await kms.stop();
  await database.drop();
});

/** As a failover leaves it: the sessions end, and those that follow find a database that takes no writes. */
async function makeReadOnly(readOnly: boolean): Promise<void> {
  await sql.unsafe(`alter database ${database.name} set default_transaction_read_only = ${readOnly ? 'on' : 'off'}`);
  await sql`
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = ${database.name} and application_name = 'qnsp-kms'`;
}

test('the database is read-only: changes are refused, keys are still used', RIDE, async () => {
  await rideOut(kms, database.url, {
    strike: () => makeReadOnly(true),
    heal: () => makeReadOnly(false),
    leaves: 'use of keys',
    readyz: 200,
  });
});
