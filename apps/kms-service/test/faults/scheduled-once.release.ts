import { setTimeout as sleep } from 'node:timers/promises';
import { createDatabase, type TestDatabase } from '@qnsp/test-harness';
import type { Sql } from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { expectSoundRows, openAdminSession } from './database-invariants.ts';
import { type KmsOnPostgres, startKms } from './kms-on-postgres.ts';
import { installShiftedClock, shiftClock } from './shifted-clock.ts';

const KEYS = 40;
/** The shortest there is, so that both meet at every key. */
const JOB_INTERVAL_MS = 100;
const PATIENCE = { timeout: 15_000, interval: 50 };

let database: TestDatabase;
let kms: KmsOnPostgres;
let sql: Sql;

beforeAll(async () => {
  database = await createDatabase();
  sql = openAdminSession(database.url);
  await installShiftedClock(sql, database.name);
  kms = await startKms({
    databaseUrl: database.url,
    nodes: 2,
    timeoutMs: 10_000,
    env: { KMS_JOB_INTERVAL_MS: String(JOB_INTERVAL_MS) },
  });
});
afterAll(async () => {
  await sql.end({ timeout: 1 });
  await kms.stop();
  await database.drop();
});

async function createKeys(body: object): Promise<readonly string[]> {
  const keys = await Promise.all(
    Array.from({ length: KEYS }, (_, index) => kms.call({ method: 'POST', path: '/kms/v1/keys', body }, index % 2)),
  );
  expect(keys.map(({ status }) => status)).toEqual(keys.map(() => 201));
  return keys.map((key) => `/kms/v1/keys/${String(key.body['keyId'])}`);
}

/** How much of this kind both nodes say that they did. */
function reported(kind: 'rotated' | 'destroyed'): number {
  const lines = kms
    .logs()
    .split('\n')
    .filter((line) => line.includes('scheduled work done'));
  const reports = lines.map((line) => JSON.parse(line) as Readonly<Record<string, number>>);
  return reports.reduce((sum, report) => sum + (report[kind] ?? 0), 0);
}

async function read(paths: readonly string[]) {
  return Promise.all(paths.map(async (path) => (await kms.call({ method: 'GET', path })).body));
}

/** Long enough for each node to look ten times: too short a pause can only miss a fault, never make one. */
function letBothLook(): Promise<void> {
  return sleep(10 * JOB_INTERVAL_MS);
}

test('two processes run a scheduled rotation exactly once', async () => {
  const paths = await createKeys({ rotation: { rotationPeriod: 'PT1H' } });
  await letBothLook();
  expect(reported('rotated')).toBe(0);
  await shiftClock(sql, '61 minutes');
  await expect.poll(() => reported('rotated'), PATIENCE).toBe(KEYS);
  await letBothLook();
  expect(reported('rotated')).toBe(KEYS);
  expect((await read(paths)).map(({ currentVersion, revision }) => [currentVersion, revision])).toEqual(
    paths.map(() => [2, 2]),
  );
  await expectSoundRows(sql);
});

test('two processes run a scheduled destruction exactly once', async () => {
  const paths = await createKeys({});
  const scheduled = await Promise.all(
    paths.map((path) => kms.call({ method: 'DELETE', path, body: { pendingWindow: 1 } })),
  );
  expect(scheduled.map(({ body }) => body['state'])).toEqual(paths.map(() => 'deactivated'));
  await shiftClock(sql, '23 hours');
  await letBothLook();
  expect(reported('destroyed')).toBe(0);
  await shiftClock(sql, '61 minutes');
  await expect.poll(() => reported('destroyed'), PATIENCE).toBe(KEYS);
  await letBothLook();
  expect(reported('destroyed')).toBe(KEYS);
  expect((await read(paths)).map(({ state, revision }) => [state, revision])).toEqual(
    paths.map(() => ['destroyed', 3]),
  );
  await expectSoundRows(sql);
});

test('two processes remove tokens that expired long ago exactly once, and no other token', async () => {
  // By the clock of this machine; that of the database is about a day ahead by now.
  const expiresAt = new Date(Date.now() + 30 * 24 * 60 * 60 * 1000).toISOString();
  const tokens = await Promise.all(
    Array.from({ length: KEYS }, (_, index) => {
      const body = { name: `job ${index}`, role: 'key_user', ...(index === 0 ? {} : { expiresAt }) };
      return kms.call({ method: 'POST', path: '/kms/v1/tokens', body }, index % 2);
    }),
  );
  const ids = tokens.map(({ body }) => String(body['tokenId']));
  const [living, ...ended] = ids;
  for (const id of ended.slice(1)) {
    const { status } = await kms.call({ method: 'DELETE', path: `/kms/v1/tokens/${id}` });
    expect(status).toBeLessThan(300);
  }
  const left = async (): Promise<readonly string[]> =>
    (await sql`select token_id from kms.api_tokens where name like 'job %'`).map((row) => String(row['token_id']));
  await shiftClock(sql, '428 days');
  await letBothLook();
  expect(await left()).toHaveLength(KEYS);
  await shiftClock(sql, '2 days');
  await expect.poll(left, PATIENCE).toEqual([living]);
  const lines = kms.logs().matchAll(/"removed":(\d+),.*removed tokens that expired long ago/g);
  expect([...lines].reduce((sum, [, removed]) => sum + Number(removed), 0)).toBe(ended.length);
  await expectSoundRows(sql);
});
