import { createDatabase, type PostgresServer, startPostgres } from '@qnsp/test-harness';
import postgres, { type ReservedSql, type Sql } from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openAdminSession } from './database-invariants.ts';
import { type KmsOnPostgres, startKms } from './kms-on-postgres.ts';
import { rideOut } from './ride-out.ts';

const SERVER_CONNECTIONS = 20;

let server: PostgresServer;
let databaseUrl: string;
let kms: KmsOnPostgres;
let sql: Sql;

beforeAll(async () => {
  server = await startPostgres({
    settings: { max_connections: String(SERVER_CONNECTIONS), superuser_reserved_connections: '0' },
  });
  databaseUrl = (await createDatabase(server.url)).url;
  kms = await startKms({ databaseUrl, env: { DATABASE_POOL_MAX: '4', KMS_JOB_INTERVAL_MS: '200' } });
  sql = openAdminSession(databaseUrl);
  // Both of its connections, as there will be none for it later.
  await Promise.all([sql`select pg_sleep(0.1)`, sql`select pg_sleep(0.1)`]);
});
afterAll(async () => {
  await sql.end({ timeout: 1 });
  await kms.stop();
  await server.stop();
});

// The probe does not need the lock, and gets a connection between two that wait for it.
test('every connection of the pool waits for a lock', async () => {
  let holder: ReservedSql;
  await rideOut(kms, sql, {
    strike: async () => {
      holder = await sql.reserve();
      await holder`begin`;
      await holder`lock table kms.keys in access exclusive mode`;
    },
    heal: async () => {
      await holder`rollback`;
      holder.release();
    },
    leaves: 'nothing',
    readyz: 200,
  });
});

test('PostgreSQL has no connection left for the service', async () => {
  const hoard = postgres(databaseUrl, { max: SERVER_CONNECTIONS, onnotice: () => undefined });
  const held: ReservedSql[] = [];
  const ofService = async (): Promise<number> => {
    const rows = await sql`select pid from pg_stat_activity where application_name = 'qnsp-kms'`;
    return rows.length;
  };
  await rideOut(kms, sql, {
    strike: async () => {
      while ((await ofService()) > 0 || held.length === 0) {
        await sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'qnsp-kms'`;
        const taken = await hoard.reserve().catch(() => undefined);
        if (taken !== undefined) held.push(taken);
      }
    },
    heal: async () => {
      for (const connection of held) connection.release();
      await hoard.end();
    },
    leaves: 'nothing',
    readyz: 503,
  });
  expect(held.length).toBeGreaterThan(4);
});
