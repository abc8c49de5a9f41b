import { randomBytes } from 'node:crypto';
import { createDatabase, startService } from '@qnsp/test-harness';
import { Registry } from 'prom-client';
import { expect, onTestFinished, test } from 'vitest';
import { TenantMetrics } from '../src/tenant-metrics.ts';
import { send } from './local-service.ts';

test('counts the requests of so many tenants apart, and those of all others together', async () => {
  const registry = new Registry();
  const metrics = new TenantMetrics(registry, 2);
  for (const [tenant, status] of [
    ['a', 200],
    ['b', 200],
    ['c', 429],
    ['a', 200],
    ['d', 429],
    ['c', 200],
    ['b', 403],
  ] as const)
    metrics.observe(tenant, status);
  const lines = (await registry.metrics()).split('\n').filter((line) => line.startsWith('kms_tenant'));
  expect(lines.toSorted()).toEqual([
    'kms_tenant_requests_total{tenant="a",status="200"} 2',
    'kms_tenant_requests_total{tenant="b",status="200"} 1',
    'kms_tenant_requests_total{tenant="b",status="403"} 1',
    'kms_tenant_requests_total{tenant="others",status="200"} 1',
    'kms_tenant_requests_total{tenant="others",status="429"} 2',
  ]);
});

/** The service, a tenant of it that may read random bytes twice, and its metrics of tenants. */
async function startWithTenant(env: Readonly<Record<string, string>>) {
  const database = await createDatabase();
  const platform = `qnsp_pqc_${randomBytes(32).toString('base64url')}`;
  const service = await startService({
    env: {
      DATABASE_URL: database.url,
      KMS_ROOT_KEY: randomBytes(32).toString('base64'),
      KMS_PLATFORM_TOKEN: platform,
      KMS_LIMIT_TENANT_UNITS_PER_SECOND: '1',
      KMS_LIMIT_TENANT_BURST: '2',
      ...env,
    },
  });
  onTestFinished(async () => {
    await service.stop();
    await database.drop();
  });
  const make = (path: string, body: object, headers = {}) =>
    send(`${service.baseUrl}/kms/v1/${path}`, 'POST', platform, body, headers);
  const tenantId = String((await make('tenants', { name: 'acme' })).body['tenantId']);
  const token = { name: 'admin', role: 'tenant_admin' };
  const made = await make('tokens', token, { 'x-qnsp-tenant': tenantId });
  const ask = async (bearer = String(made.body['token'])) =>
    (await send(`${service.baseUrl}/kms/v1/random?bytes=16`, 'GET', bearer)).status;
  const counted = async () =>
    (await (await fetch(`${service.baseUrl}/metrics`)).text())
      .split('\n')
      .filter((line) => line.startsWith('kms_tenant_requests_total{'));
  return { tenantId, ask, counted };
}

test('the service counts what a tenant asks, also what is refused by its limit, and nothing of nobody', async () => {
  const { tenantId, ask, counted } = await startWithTenant({ KMS_METRICS_BY_TENANT: 'true' });
  const statuses = [await ask(), await ask(), await ask(), await ask(), await ask('qnsp_pqc_of-nobody')];
  expect(statuses.at(-1)).toBe(401);
  const lines = (await counted()).filter((line) => line.includes(tenantId));
  const count = (status: number) => statuses.filter((each) => each === status).length;
  expect(count(429)).toBeGreaterThan(0);
  const line = (status: number, value: number) =>
    `kms_tenant_requests_total{tenant="${tenantId}",status="${status}"} ${value}`;
  // The platform made its token.
  expect(lines.toSorted()).toEqual([line(200, count(200)), line(201, 1), line(429, count(429))]);
});

test('the service names no tenant in its metrics unless told to', async () => {
  const { ask, counted } = await startWithTenant({});
  expect(await ask()).toBe(200);
  expect(await counted()).toEqual([]);
});
