import { createDatabase, mountSmallDisk, type PostgresServer, type SmallDisk, startPostgres } from '@qnsp/test-harness';
import { afterEach, describe, expect, test } from 'vitest';
import { openAdminSession } from './database-invariants.ts';
import { type KmsOnPostgres, startKms } from './kms-on-postgres.ts';
import { RIDE, rideOut } from './ride-out.ts';

/** For a new cluster, its write-ahead log, and some load. */
const DISK_MEBIBYTES = 192;

let disk: SmallDisk;
let server: PostgresServer;
let kms: KmsOnPostgres;
let databaseUrl: string;

async function startOnSmallDisk(): Promise<void> {
  disk = mountSmallDisk(DISK_MEBIBYTES);
  server = await startPostgres({ directory: disk.path });
  databaseUrl = (await createDatabase(server.url)).url;
  kms = await startKms({ databaseUrl, env: { KMS_JOB_INTERVAL_MS: '200' } });
}

/** Ends the current segment of the log; whether PostgreSQL had the space for the next. */
async function takesNextSegment(): Promise<boolean> {
  const sql = openAdminSession(databaseUrl);
  const message = 'a segment with nothing in it is not ended';
  // What it dies of is in its log.
  const survived = await sql`select pg_logical_emit_message(false, 'test', ${message}), pg_switch_wal()`.then(
    () => true,
    () => false,
  );
  await sql.end({ timeout: 1 });
  return survived;
}

afterEach(async () => {
  await kms.stop();
  await server.stop();
  await disk.unmount();
});

// Only root may mount a file system that fills up without filling anybody else's.
const isRoot = process.getuid?.() === 0;

describe.skipIf(!isRoot)('the disk of PostgreSQL is full (needs root)', () => {
  test('tables cannot grow: changes are refused, keys are still used', RIDE, async () => {
    await startOnSmallDisk();
    await rideOut(kms, databaseUrl, {
      strike: () => Promise.resolve(disk.fill()),
      heal: () => Promise.resolve(disk.free()),
      leaves: 'use of keys',
      says: /53100.*No space left on device/,
      readyz: 200,
    });
    expect(server.logs()).toContain('No space left on device');
  });

  test('the write-ahead log cannot grow: PostgreSQL ends, and comes back when there is space', RIDE, async () => {
    await startOnSmallDisk();
    await rideOut(kms, databaseUrl, {
      strike: async () => {
        disk.fill();
        await expect.poll(takesNextSegment, { timeout: 20_000 }).toBe(false);
      },
      heal: async () => {
        expect(server.logs()).toMatch(/PANIC: .*No space left on device/);
        disk.free();
        await server.restart();
      },
      leaves: 'nothing',
      says: /ECONNREFUSED|ECONNRESET|57P0[123]|CONNECTION_CLOSED/,
      readyz: 503,
    });
  });
});
