import { createDatabase, type TestDatabase } from '@qnsp/test-harness';
import type { Sql } from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectSoundRows, openAdminSession } from './database-invariants.ts';
import { type KmsOnPostgres, startKms } from './kms-on-postgres.ts';
import { installShiftedClock, shiftClock } from './shifted-clock.ts';

const PATIENCE = { timeout: 60_000, interval: 50 };

let database: TestDatabase;
let kms: KmsOnPostgres;
let sql: Sql;

beforeAll(async () => {
  database = await createDatabase();
  sql = openAdminSession(database.url);
  await installShiftedClock(sql, database.name);
  // No unit comes to its own end while it is made to stand.
  kms = await startKms({ databaseUrl: database.url, timeoutMs: 120_000, env: { KMS_JOB_INTERVAL_MS: '100' } });
});
afterAll(async () => {
  await sql.end({ timeout: 1 });
  await kms.stop();
  await database.drop();
});

/** Where the trigger is that stands. */
let standingAt = '';

/** Lets every such change of a row of a table stand still when it is written and not committed. */
async function standAt(change: string, table = 'keys'): Promise<void> {
  standingAt = `kms.${table}`;
  await sql.unsafe(`
    create function public.stand() returns trigger language plpgsql as 'begin perform pg_sleep(100); return null; end';
    create trigger stand after update on ${standingAt} for each row when (${change}) execute function public.stand()`);
}

/** Kills the service while one of its units stands, and lets what it left in PostgreSQL go. */
async function killWhileItStands(): Promise<void> {
  const standing = async () => (await sql`select from pg_stat_activity where wait_event = 'PgSleep'`).length;
  await expect.poll(standing, PATIENCE).toBe(1);
  await kms.kill9();
  await sql`select pg_terminate_backend(pid) from pg_stat_activity
    where application_name = 'qnsp-kms' and datname = current_database()`;
  await sql.unsafe(`drop trigger stand on ${standingAt}; drop function public.stand()`);
}

async function createKey(body: object): Promise<string> {
  const key = await kms.call({ method: 'POST', path: '/kms/v1/keys', body });
  expect(key.status).toBe(201);
  return String(key.body['keyId']);
}

async function row(keyId: string) {
  const [key] = await sql`
    select state, current_version as version, revision::int as revision from kms.keys where key_id = ${keyId}`;
  return key;
}

test('a rotation and a destruction that are killed half done leave nothing, and are done once by the next start', async () => {
  const rotating = await createKey({ rotation: { rotationPeriod: 'PT1H' } });
  const dying = await createKey({});
  await kms.call({ method: 'DELETE', path: `/kms/v1/keys/${dying}`, body: { pendingWindow: 1 } });
  await standAt('new.current_version > old.current_version');
  await shiftClock(sql, '61 minutes');
  await killWhileItStands();
  expect(await row(rotating)).toEqual({ state: 'active', version: 1, revision: 1 });
  await expectSoundRows(sql);
  await kms.start();
  await expect.poll(() => row(rotating), PATIENCE).toEqual({ state: 'active', version: 2, revision: 2 });

  await standAt(`new.state = 'destroyed'`);
  await shiftClock(sql, '23 hours');
  await killWhileItStands();
  expect(await row(dying)).toEqual({ state: 'deactivated', version: 1, revision: 2 });
  await expectSoundRows(sql);
  await kms.start();
  await expect.poll(() => row(dying), PATIENCE).toEqual({ state: 'destroyed', version: 1, revision: 3 });
  await expectSoundRows(sql);
}, 600_000);

test('re-sealing under a new master key that is killed half done loses nothing, and the next starts complete it', async () => {
  const plaintext = Buffer.from('data').toString('base64');
  const ciphertexts: unknown[] = [];
  // More than one unit of work takes.
  for (let index = 0; index < 25; index += 1) {
    const path = `/kms/v1/keys/${await createKey({})}/encrypt`;
    ciphertexts.push((await kms.call({ method: 'POST', path, body: { plaintext } })).body['ciphertext']);
  }
  const binding = { issuer: 'mtls', match: { 'subject.cn': 'orders' }, role: 'auditor' };
  expect((await kms.call({ method: 'POST', path: '/kms/v1/identity-bindings', body: binding })).status).toBe(201);
  const tenant = `/kms/v1/tenants/${kms.tenantId}`;
  const masterKey = async () => (await kms.call({ method: 'GET', path: tenant })).body['masterKey'];
  const expectReadable = async () => {
    for (const ciphertext of ciphertexts) {
      const read = await kms.call({ method: 'POST', path: '/kms/v1/decrypt', body: { ciphertext } });
      expect(read).toMatchObject({ status: 200, body: { plaintext } });
    }
  };
  const isResealed = 'new.mac_tmk_version > old.mac_tmk_version';
  const steps = [
    [isResealed, 'keys'],
    [isResealed, 'identity_bindings'],
    ['new.oldest_tmk_version > old.oldest_tmk_version', 'tenants'],
  ] as const;
  const rotate = () => kms.call({ method: 'POST', path: `${tenant}/rotate-master-key`, body: {} });
  for (const [index, [change, table]] of steps.entries()) {
    const version = index + 2;
    await standAt(change, table);
    expect((await rotate()).status).toBeLessThan(300);
    await killWhileItStands();
    const [left] = await sql`select oldest_tmk_version as oldest from kms.tenants where tenant_id = ${kms.tenantId}`;
    expect(left).toEqual({ oldest: version - 1 });
    await expectSoundRows(sql);
    await kms.start();
    await expectReadable();
    await expect.poll(masterKey, PATIENCE).toMatchObject({ version, oldestVersion: version });
  }
  await expectReadable();
  await expectSoundRows(sql);
}, 600_000);
