import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { diagnose } from '@qnsp/kms-service/diagnosis';
import { createDatabase, type Service, startService, type TestDatabase } from '@qnsp/test-harness';
import postgres, { type Sql } from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { installShiftedClock, shiftClock } from './faults/shifted-clock.ts';
import { send } from './local-service.ts';

const HOUR_MS = 3_600_000;
const DATA = Buffer.from('data').toString('base64');

let database: TestDatabase;
let sql: Sql;
/** One without a bound, and one that seals itself when the clocks are a minute apart. */
let [calm, strict]: Service[] = [];
const platform = `qnsp_pqc_${randomBytes(32).toString('base64url')}`;
const rootKey = randomBytes(32).toString('base64');

beforeAll(async () => {
  database = await createDatabase();
  sql = postgres(database.url, { max: 1, onnotice: () => undefined });
  await installShiftedClock(sql, database.name);
  const env = { DATABASE_URL: database.url, KMS_ROOT_KEY: rootKey, KMS_PLATFORM_TOKEN: platform, LOG_LEVEL: 'warn' };
  [calm, strict] = await Promise.all([
    startService({ env }),
    startService({ env: { ...env, KMS_CLOCK_SKEW_LIMIT_SECONDS: '60' } }),
  ]);
});
afterAll(async () => {
  await Promise.all([calm?.stop(), strict?.stop()]);
  await sql.end();
  await database.drop();
});

function node(which: Service | undefined): Service {
  if (which === undefined) throw new Error('the service did not start');
  return which;
}

const call = (service: Service, method: string, path: string, as?: string, body?: unknown, tenant = '') =>
  send(`${service.baseUrl}${path}`, method, as, body, tenant === '' ? {} : { 'x-qnsp-tenant': tenant });

const healthOf = async (service: Service) => {
  const { status, body } = await call(service, 'GET', '/health');
  return { status, overall: body['status'], clock: (body['checks'] as Record<string, unknown>)['clock'] };
};

/** A key, and a way to make tokens for it that expire by the clock of the database. */
async function makeKey(service: Service) {
  const tenant = await call(service, 'POST', '/kms/v1/tenants', platform, { name: 'acme' });
  const tenantId = String(tenant.body['tenantId']);
  const token = async (role: string, expiresAt?: string) => {
    const body = { name: role, role, ...(expiresAt === undefined ? {} : { expiresAt }) };
    const made = await call(service, 'POST', '/kms/v1/tokens', platform, body, tenantId);
    expect(made.status).toBe(201);
    return String(made.body['token']);
  };
  const admin = await token('tenant_admin');
  const keyId = String((await call(service, 'POST', '/kms/v1/keys', admin, {})).body['keyId']);
  const use = async (as: string) =>
    (await call(service, 'POST', `/kms/v1/keys/${keyId}/encrypt`, as, { plaintext: DATA })).status;
  const expiringIn = (databaseAheadMs: number, ms: number) =>
    token('key_user', new Date(Date.now() + databaseAheadMs + ms).toISOString());
  return { use, expiringIn };
}

describe('a node whose clock is', () => {
  test('right says so, and serves under any bound', async () => {
    for (const service of [node(calm), node(strict)]) {
      expect(await healthOf(service)).toEqual({ status: 200, overall: 'ok', clock: { status: 'ok' } });
    }
  });

  test.each([
    { place: 'behind', ahead: '3 hours', databaseAheadMs: 3 * HOUR_MS, says: /behind the database's/ },
    { place: 'ahead', ahead: '-3 hours', databaseAheadMs: -3 * HOUR_MS, says: /ahead of the database's/ },
  ])('three hours $place judges expiry by the database, says so, and is sealed past a bound', async (skew) => {
    const [service, bounded] = [node(calm), node(strict)];
    const { use, expiringIn } = await makeKey(service);
    await shiftClock(sql, skew.ahead);
    try {
      await expect
        .poll(() => healthOf(service), { timeout: 15_000 })
        .toMatchObject({
          status: 200,
          overall: 'degraded',
          clock: { status: 'degraded', message: expect.stringMatching(skew.says) },
        });
      const lasting = await expiringIn(skew.databaseAheadMs, HOUR_MS);
      const short = await expiringIn(skew.databaseAheadMs, 4000);
      expect([await use(lasting), await use(short)]).toEqual([200, 200]);
      await sleep(4500);
      // What is held in memory expires as well.
      expect([await use(lasting), await use(short)]).toEqual([200, 401]);

      await expect
        .poll(() => healthOf(bounded), { timeout: 15_000 })
        .toMatchObject({ overall: 'critical', clock: { status: 'critical' } });
      expect(await call(bounded, 'GET', '/readyz')).toMatchObject({ status: 503 });
      const refused = await call(bounded, 'GET', '/kms/v1/tenants', platform);
      expect(refused).toMatchObject({ status: 503, body: { code: 'SEALED' } });

      const findings = await diagnose({ DATABASE_URL: database.url, KMS_ROOT_KEY: rootKey });
      expect(findings.find(({ check }) => check === 'database')).toMatchObject({
        status: 'wrong',
        message: expect.stringMatching(skew.says),
      });
    } finally {
      await sql`update shifted.clock set ahead = '0'`;
    }
    await expect.poll(() => healthOf(bounded), { timeout: 15_000 }).toMatchObject({ clock: { status: 'ok' } });
    expect(await call(bounded, 'GET', '/kms/v1/tenants', platform)).toMatchObject({ status: 200 });
  });
});
