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
  // So few that all of them meet the fault.
  kms = await startKms({ databaseUrl: database.url, env: { DATABASE_POOL_MAX: '4', KMS_JOB_INTERVAL_MS: '200' } });
  sql = openAdminSession(database.url);
});
afterAll(async () => {
  await sql.end({ timeout: 1 });
  await kms.stop();
  await database.drop();
});

/** For the sessions that begin from now on. */
async function makeReadOnly(readOnly: boolean): Promise<void> {
  await sql.unsafe(`alter database ${database.name} set default_transaction_read_only = ${readOnly ? 'on' : 'off'}`);
}

/** As a failover does. */
async function endSessions(): Promise<void> {
  await sql`
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = ${database.name} and application_name = 'qnsp-kms'`;
}

test('the database is read-only: changes are refused, keys are still used', RIDE, async () => {
  await rideOut(kms, database.url, {
    strike: async () => {
      await makeReadOnly(true);
      await endSessions();
    },
    // The sessions that are open stay read-only: the service must give them up by itself.
    heal: () => makeReadOnly(false),
    leaves: 'use of keys',
    says: /25006.*read-only transaction/,
    readyz: 200,
  });
});
