import { randomBytes } from 'node:crypto';
import { createDatabase, type Service, startService } from '@qnsp/test-harness';
import { expect, onTestFinished, test, vi } from 'vitest';
import { ConfigurationError } from '../src/config/configuration-error.ts';
import { readConfig } from '../src/config/env.ts';
import { type Answer, send } from './local-service.ts';

const PLATFORM = `qnsp_pqc_${randomBytes(32).toString('base64url')}`;
/** As many calls of the cheapest kind at once; what comes in a second later is not enough for another one. */
const LIMIT = { KMS_LIMIT_TENANT_UNITS_PER_SECOND: '1', KMS_LIMIT_TENANT_BURST: '60' };

/** Services on one database, and a tenant's token that reads random bytes, which costs one unit. */
async function startNodes(count: number, env: Readonly<Record<string, string>>, rate?: number) {
  const database = await createDatabase();
  const all = { DATABASE_URL: database.url, KMS_PLATFORM_TOKEN: PLATFORM, KMS_JOB_INTERVAL_MS: '600000', ...env };
  const settings = { ...all, KMS_ROOT_KEY: randomBytes(32).toString('base64') };
  const nodes: Service[] = [];
  onTestFinished(async () => {
    await Promise.all(nodes.map((node) => node.stop()));
    await database.drop();
  });
  for (let index = 0; index < count; index += 1) nodes.push(await startService({ env: settings }));
  const first = nodes[0];
  if (first === undefined) throw new Error('no node was started');
  const make = (path: string, body: object, headers = {}) =>
    send(`${first.baseUrl}${path}`, 'POST', PLATFORM, body, headers);
  const newTenant = async () => String((await make('/kms/v1/tenants', { name: 'acme' })).body['tenantId']);
  const newToken = async (ofTenant?: string) => {
    const tenantId = ofTenant ?? (await newTenant());
    const token = { name: 'admin', role: 'tenant_admin', ...(rate === undefined ? {} : { rate }) };
    return String((await make('/kms/v1/tokens', token, { 'x-qnsp-tenant': tenantId })).body['token']);
  };
  const ask = (node: Service, token: string): Promise<Answer> =>
    send(`${node.baseUrl}/kms/v1/random?bytes=16`, 'GET', token);
  const takeAll = async (node: Service, token: string): Promise<number> => {
    for (let taken = 0; ; taken += 1) {
      const { status } = await ask(node, token);
      if (status === 429) return taken;
      expect(status).toBe(200);
    }
  };
  const limit = (tenantId: string, own: object | null) =>
    send(`${first.baseUrl}/kms/v1/tenants/${tenantId}`, 'PATCH', PLATFORM, { limits: { rate: own } });
  return { first, nodes, newTenant, newToken, ask, takeAll, limit };
}

test('a tenant that has taken its burst is told when to come again, and others are not held up', async () => {
  const { first, newToken, ask, takeAll } = await startNodes(1, LIMIT);
  const token = await newToken();
  const startedAt = performance.now();
  const taken = await takeAll(first, token);
  expect(taken).toBeGreaterThanOrEqual(60);
  expect(taken).toBeLessThanOrEqual(61 + (performance.now() - startedAt) / 1000);
  const refused = await ask(first, token);
  expect(refused).toMatchObject({
    status: 429,
    body: { code: 'TOO_MANY_REQUESTS', routeId: 'getRandom', limit: 60, retryAfter: 1, details: { remaining: 0 } },
  });
  expect(refused.headers.get('retry-after')).toBe('1');
  expect(refused.headers.get('x-ratelimit-limit')).toBe('60');
  expect((await ask(first, await newToken())).status).toBe(200);
  const metrics = await (await fetch(`${first.baseUrl}/metrics`)).text();
  expect(metrics).toMatch(/^kms_rate_limit_refusals_total\{limit="tenant"\} 2$/m);
});

test('a token is held to its own rate where the deployment has no limits', async () => {
  const { first, newToken, takeAll } = await startNodes(1, {}, 5);
  const startedAt = performance.now();
  const taken = await takeAll(first, await newToken());
  expect(taken).toBeGreaterThanOrEqual(5);
  expect(taken).toBeLessThanOrEqual(6 + (5 * (performance.now() - startedAt)) / 1000);
});

test('nodes on one database each give out their part, and all of it again when the others have gone', async () => {
  const { first, nodes, newToken, takeAll } = await startNodes(3, LIMIT);
  const others = nodes.slice(1);
  // Those that were there before hear of a new one within a second.
  await vi.waitFor(
    async () => {
      const token = await newToken();
      for (const node of nodes) expect(await takeAll(node, token)).toBeLessThan(30);
    },
    { timeout: 20_000, interval: 200 },
  );
  await Promise.all(others.map((node) => node.stop()));
  await vi.waitFor(async () => expect(await takeAll(first, await newToken())).toBeGreaterThanOrEqual(60), {
    timeout: 20_000,
    interval: 200,
  });
});

test('a limit of one tenant holds on all nodes within a second, and the others keep theirs', async () => {
  const { nodes, newTenant, newToken, ask, takeAll, limit } = await startNodes(2, {
    KMS_LIMIT_TENANT_UNITS_PER_SECOND: '1000000',
  });
  const tenantId = await newTenant();
  const [token, other] = [await newToken(tenantId), await newToken()];
  const [, second] = nodes;
  if (second === undefined) throw new Error('no second node');
  for (const node of nodes) expect((await ask(node, token)).status).toBe(200);
  const rate = { unitsPerSecond: 1, burst: 10 };
  expect(await limit(tenantId, rate)).toMatchObject({ status: 200, body: { limits: { rate } } });
  const setAt = performance.now();
  // Each of the units that come in meanwhile may be taken as well.
  const limits = async () => {
    const begun = performance.now();
    const all = await Promise.all(nodes.map((node) => takeAll(node, token)));
    return all.map((taken) => taken < 12 + (performance.now() - begun) / 1000);
  };
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, 1000 - (performance.now() - setAt))));
  expect(await limits()).toEqual([true, true]);
  expect((await ask(second, token)).headers.get('x-ratelimit-limit')).toBe('10');
  expect((await ask(second, other)).status).toBe(200);
  // No limit for it, whatever holds for all, and then that again.
  expect((await limit(tenantId, { unitsPerSecond: 0 })).status).toBe(200);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  for (let round = 0; round < 50; round += 1) expect((await ask(second, token)).status).toBe(200);
  expect(await limit(tenantId, null)).toMatchObject({ status: 200, body: { limits: { rate: null } } });
});

test('a burst without a rate is a wrong configuration', () => {
  const variables = (env: Readonly<Record<string, string>>) => {
    try {
      readConfig({ KMS_EMBEDDED_DEFAULTS: 'true', ...env });
      return [];
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      return error.problems.map(({ variable }) => variable);
    }
  };
  expect(variables({ KMS_LIMIT_TENANT_BURST: '5' })).toEqual(['KMS_LIMIT_TENANT_BURST']);
  expect(variables({ KMS_LIMIT_CREDENTIAL_BURST: '5' })).toEqual(['KMS_LIMIT_CREDENTIAL_BURST']);
  expect(variables(LIMIT)).toEqual([]);
});
