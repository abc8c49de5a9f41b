import { createDatabase, mountSmallDisk, type PostgresServer, type SmallDisk, startPostgres } from '@qnsp/test-harness';
import type { Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { openAdminSession } from './database-invariants.ts';
import { type KmsOnPostgres, startKms } from './kms-on-postgres.ts';
import { rideOut } from './ride-out.ts';

/** For a new cluster, its write-ahead log, and some load. */
const DISK_MEBIBYTES = 192;

let disk: SmallDisk;
let server: PostgresServer;
let kms: KmsOnPostgres;
let sql: Sql;

async function startOnSmallDisk(): Promise<void> {
  disk = mountSmallDisk(DISK_MEBIBYTES);
  server = await startPostgres({ directory: disk.path });
  const { url } = await createDatabase(server.url);
  kms = await startKms({ databaseUrl: url, env: { KMS_JOB_INTERVAL_MS: '200' } });
  sql = openAdminSession(url);
}

afterEach(async () => {
  await sql.end({ timeout: 1 });
  await kms.stop();
  await server.stop();
  await disk.unmount();
});

// Only root may mount a file system that fills up without filling anybody else's.
const isRoot = process.getuid?.() === 0;

describe.skipIf(!isRoot)('the disk of PostgreSQL is full (needs root)', () => {
  test('tables can not grow: changes are refused, keys are still used', async () => {
    await startOnSmallDisk();
    await rideOut(kms, sql, {
      strike: () => Promise.resolve(disk.fill()),
      heal: () => Promise.resolve(disk.free()),
      leaves: 'use of keys',
      readyz: 200,
    });
    expect(server.logs()).toContain('No space left on device');
  });

  test('the write-ahead log can not grow: PostgreSQL ends, and comes back when there is space', async () => {
    await startOnSmallDisk();
    await rideOut(kms, sql, {
      strike: async () => {
        disk.fill();
        // The next segment of the log is one that there is no space for.
        const isGone = () =>
          sql`select pg_switch_wal()`.then(
            () => false,
            () => true,
          );
        await expect.poll(isGone, { timeout: 20_000 }).toBe(true);
      },
      heal: async () => {
        disk.free();
        await server.restart();
      },
      leaves: 'nothing',
      readyz: 503,
    });
    expect(server.logs()).toContain('PANIC');
  });
});
