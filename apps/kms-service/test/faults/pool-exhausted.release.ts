import { createDatabase, type PostgresServer, startPostgres } from '@qnsp/test-harness';
import type { ReservedSql, Sql } from 'postgres';
import { afterAll, beforeAll, beforeEach, afterEach, test } from 'vitest';
import { openAdminSession } from './database-invariants.ts';
import { type KmsOnPostgres, startKms } from './kms-on-postgres.ts';
import { RIDE, rideOut } from './ride-out.ts';

const SERVER_CONNECTIONS = 20;

let server: PostgresServer;
let databaseUrl: string;
let kms: KmsOnPostgres;
let sql: Sql;

beforeAll(async () => {
  server = await startPostgres({
    settings: { max_connections: String(SERVER_CONNECTIONS), superuser_reserved_connections: '0' },
  });
});
afterAll(() => server.stop());

beforeEach(async () => {
  databaseUrl = (await createDatabase(server.url)).url;
  kms = await startKms({ databaseUrl, env: { DATABASE_POOL_MAX: '4', KMS_JOB_INTERVAL_MS: '200' } });
  sql = openAdminSession(databaseUrl);
  // Both of its connections, as there will be none for it later.
  await Promise.all([sql`select pg_sleep(0.1)`, sql`select pg_sleep(0.1)`]);
});
afterEach(async () => {
  await sql.end({ timeout: 1 });
  await kms.stop();
});

// The probe needs no lock, and sometimes gets a connection between two calls that wait for theirs.
test('every connection of the pool waits for a lock', RIDE, async () => {
  let holder: ReservedSql;
  await rideOut(kms, databaseUrl, {
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
    says: /57014: canceling statement|55P03: canceling statement|did not answer within 1000 ms/,
  });
});

test('PostgreSQL has no connection left for the service', RIDE, async () => {
  const hoard: Sql[] = [];
  const takeOne = async (): Promise<void> => {
    const one = openAdminSession(databaseUrl, 1);
    hoard.push(one);
    // Refused when the service was faster.
    await one`select 1`.catch(() => undefined);
  };
  const areAllTaken = async (): Promise<boolean> => {
    const [row] = await sql<{ all: number; ofService: number }[]>`
      select count(*)::int as "all", (count(*) filter (where application_name = 'qnsp-kms'))::int as "ofService"
      from pg_stat_activity where backend_type = 'client backend'`;
    return row?.all === SERVER_CONNECTIONS && row.ofService === 0;
  };
  await rideOut(kms, databaseUrl, {
    strike: async () => {
      while (!(await areAllTaken())) {
        await sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'qnsp-kms'`;
        await takeOne();
      }
    },
    heal: async () => {
      await Promise.all(hoard.map((one) => one.end()));
    },
    leaves: 'nothing',
    says: /53300.*too many clients/,
    readyz: 503,
  });
});
