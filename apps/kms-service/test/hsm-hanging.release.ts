import { randomBytes } from 'node:crypto';
import {
  createDatabase,
  type FaultyModule,
  faultyModule,
  type Service,
  startService,
  type TestDatabase,
} from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, send } from './local-service.ts';
import { makeTokens, type Tokens } from './two-tokens.ts';

const PLATFORM = `qnsp_pqc_${randomBytes(32).toString('base64url')}`;
const DATA = Buffer.from('data').toString('base64');
const TIMEOUT_MS = 5000;
const ROUNDS = 5;

let tokens: Tokens;
let module: FaultyModule;
let database: TestDatabase;
/** The first one makes; in the memory of the second one there is nothing of it yet. */
const services: Service[] = [];

beforeAll(async () => {
  tokens = await makeTokens(['east', 'west']);
  module = faultyModule(tokens.modulePath);
  database = await createDatabase();
  const east = { ...tokens.config('east'), modulePath: module.path, timeoutMs: TIMEOUT_MS };
  const env = {
    ...tokens.env,
    // All of them are set.
    ...(module.environment as Record<string, string>),
    DATABASE_URL: database.url,
    // What a busy machine may take is no matter of this test.
    DATABASE_TIMEOUT_MS: '30000',
    KMS_PLATFORM_TOKEN: PLATFORM,
    KMS_PKCS11_CONFIGS_JSON: JSON.stringify([east, { ...tokens.config('west'), timeoutMs: TIMEOUT_MS }]),
    KMS_JOB_INTERVAL_MS: '200',
  };
  for (let count = 0; count < 2; count += 1) services.push(await startService({ env }));
}, 600_000);
afterAll(async () => {
  await Promise.all(services.map((service) => service.stop()));
  await database?.drop();
  await module?.remove();
  await tokens?.remove();
});

function call(node: 0 | 1, method: string, path: string, body?: unknown, tenantId?: string): Promise<Answer> {
  const headers: Record<string, string> = tenantId === undefined ? {} : { 'x-qnsp-tenant': tenantId };
  return send(`${services[node]?.baseUrl ?? ''}${path}`, method, PLATFORM, body, headers);
}

async function newTenant(): Promise<string> {
  const { status, body } = await call(0, 'POST', '/kms/v1/tenants', { name: 'acme' });
  expect(status, JSON.stringify(body)).toBe(201);
  return String(body['tenantId']);
}

async function seal(tenantId: string): Promise<unknown> {
  const { body: key } = await call(0, 'POST', '/kms/v1/keys', {}, tenantId);
  const { body, status } = await call(0, 'POST', '/kms/v1/encrypt', { keyId: key['keyId'], plaintext: DATA }, tenantId);
  expect(status, JSON.stringify(body)).toBe(200);
  return body['ciphertext'];
}

async function check(node: 0 | 1, name: string): Promise<unknown> {
  const checks = (await call(node, 'GET', '/health')).body['checks'];
  // An object with an object for each check.
  return (checks as Record<string, { readonly status: string }>)[name]?.status;
}

async function draw(tenantId: string): Promise<unknown> {
  const { status, body } = await call(0, 'GET', '/kms/v1/random?bytes=32', undefined, tenantId);
  expect(status, JSON.stringify(body)).toBe(200);
  return body['random'];
}

describe('the generator of an HSM', { timeout: 600_000 }, () => {
  test('that stands still is noticed and weakens nothing, and is mixed in again when it works', async () => {
    const tenantId = await newTenant();
    module.rules('C_GenerateRandom constant');
    const draws = [await draw(tenantId), await draw(tenantId), await draw(tenantId)];
    expect(new Set(draws).size).toBe(3);
    expect(await check(0, 'random')).toBe('degraded');
    await seal(tenantId);
    module.rules();
    await draw(tenantId);
    expect(await check(0, 'random')).toBe('ok');
  });

  test('that fails is made up for by that of the other', async () => {
    const tenantId = await newTenant();
    module.rules('C_GenerateRandom fail 6');
    module.forget();
    expect(await draw(tenantId)).not.toBe(await draw(tenantId));
    expect(module.calls('C_GenerateRandom')).toBeGreaterThan(0);
    expect(await check(0, 'random')).toBe('ok');
    module.rules();
  });
});

describe('one HSM of two that hangs', { timeout: 600_000 }, () => {
  test('is waited for by few, and what the other can do is done', async () => {
    const sealed: { readonly tenantId: string; readonly ciphertext: unknown }[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const tenantId = await newTenant();
      sealed.push({ tenantId, ciphertext: await seal(tenantId) });
    }
    module.rules('* hang');
    for (const node of [0, 1] as const)
      await expect.poll(() => check(node, 'roots'), { timeout: 60_000 }).toBe('degraded');
    // What everybody waits for who comes before it is known that it hangs.
    await Promise.all([draw(sealed[0]?.tenantId ?? ''), newTenant()]);

    const started = performance.now();
    for (const { tenantId, ciphertext } of sealed) {
      const opened = await call(1, 'POST', '/kms/v1/decrypt', { ciphertext }, tenantId);
      expect(opened, JSON.stringify(opened.body)).toMatchObject({ status: 200, body: { plaintext: DATA } });
      expect((await call(1, 'POST', '/kms/v1/keys', {}, tenantId)).status).toBe(201);
      await draw(tenantId);
      await newTenant();
    }
    // One call in several seconds tries the HSM again, and waits; where each of the four waits for it, it takes longer.
    expect(performance.now() - started).toBeLessThan(ROUNDS * 4 * TIMEOUT_MS * 0.75);
  });
});
