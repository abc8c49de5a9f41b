import { randomBytes } from 'node:crypto';
import { createDatabase, type Service, startService } from '@qnsp/test-harness';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Answer, send } from './local-service.ts';

const PLATFORM = `qnsp_pqc_${randomBytes(32).toString('base64url')}`;
const MOST = 5;
const DAY_SECONDS = 86_400;

/** Two nodes on one database, where few answers are kept. */
let nodes: readonly [Service, Service];
let end: () => Promise<void>;

beforeAll(async () => {
  const database = await createDatabase();
  const env = {
    DATABASE_URL: database.url,
    KMS_PLATFORM_TOKEN: PLATFORM,
    KMS_ROOT_KEY: randomBytes(32).toString('base64'),
    KMS_JOB_INTERVAL_MS: '600000',
    KMS_LIMIT_TENANT_KEPT_ANSWERS: String(MOST),
  };
  nodes = [await startService({ env }), await startService({ env })];
  end = async () => {
    await Promise.all(nodes.map((node) => node.stop()));
    await database.drop();
  };
});
afterAll(() => end());

/** Calls of a new tenant's administrator; those that change something under this key. */
async function newTenant() {
  const make = (path: string, body: object, headers = {}) =>
    send(`${nodes[0].baseUrl}${path}`, 'POST', PLATFORM, body, headers);
  const tenantId = String((await make('/kms/v1/tenants', { name: 'acme' })).body['tenantId']);
  const token = { name: 'admin', role: 'tenant_admin' };
  const made = await make('/kms/v1/tokens', token, { 'x-qnsp-tenant': tenantId });
  const call = (method: string, path: string, body?: object, key?: string, node = nodes[0]): Promise<Answer> =>
    send(
      `${node.baseUrl}/kms/v1${path}`,
      method,
      String(made.body['token']),
      body,
      key === undefined ? {} : { 'idempotency-key': key },
    );
  const limit = (keptAnswers: number | null, key: string) =>
    send(
      `${nodes[0].baseUrl}/kms/v1/tenants/${tenantId}`,
      'PATCH',
      PLATFORM,
      { limits: { keptAnswers } },
      {
        'idempotency-key': key,
      },
    );
  return { tenantId, call, limit };
}

test('as many answers of a tenant are kept as may be, exactly, and one more is told when there is room', async () => {
  const [{ tenantId, call, limit }, other] = [await newTenant(), await newTenant()];
  const create = (key: string, node = nodes[0]) => call('POST', '/keys', { name: key }, key, node);
  const answers = await Promise.all(
    Array.from({ length: 4 * MOST }, (_, index) => create(`key ${index}`, nodes[index % 2 === 0 ? 0 : 1])),
  );
  const [made, refused] = [201, 429].map((status) => answers.filter((answer) => answer.status === status));
  expect([made?.length, refused?.length]).toEqual([MOST, 3 * MOST]);
  for (const { headers, body } of refused ?? []) {
    const retryAfter = Number(headers.get('retry-after'));
    expect(retryAfter).toBeGreaterThan(DAY_SECONDS - 600);
    expect(retryAfter).toBeLessThanOrEqual(DAY_SECONDS);
    expect(body).toMatchObject({
      code: 'TOO_MANY_REQUESTS',
      routeId: 'createKey',
      limit: MOST,
      retryAfter,
      details: { limit: 'keptAnswers', maximum: MOST, used: MOST },
    });
  }
  const usage = () => call('GET', `/tenants/${tenantId}/usage`);
  expect(await usage()).toMatchObject({ body: { keys: { used: MOST }, keptAnswers: { used: MOST, maximum: MOST } } });

  // What is kept is told again, by any node; what needs no key, or is of another tenant, goes on.
  const index = answers.findIndex(({ status }) => status === 201);
  expect((await create(`key ${index}`, nodes[1])).body).toEqual(answers[index]?.body);
  expect(await call('POST', '/keys', {})).toMatchObject({ status: 201 });
  expect(await other.call('POST', '/keys', {}, 'key 0')).toMatchObject({ status: 201 });

  expect(await limit(MOST + 1, 'more')).toMatchObject({ status: 200, body: { limits: { keptAnswers: MOST + 1 } } });
  expect(await create('one more')).toMatchObject({ status: 201 });
  expect(await create('yet another')).toMatchObject({ status: 429, body: { limit: MOST + 1 } });
  expect(await usage()).toMatchObject({ body: { keptAnswers: { used: MOST + 1, maximum: MOST + 1 } } });
  expect(await limit(null, 'as for all')).toMatchObject({ body: { limits: { keptAnswers: null } } });
  expect(await create('yet another')).toMatchObject({ status: 429, body: { details: { used: MOST + 1 } } });
});

test('a token is revoked and a key suspended where there is no room for the answer', async () => {
  const { call } = await newTenant();
  const { body: token } = await call('POST', '/tokens', { name: 'stolen', role: 'key_user' });
  for (let made = 0; made < MOST; made += 1) await call('POST', '/keys', {}, `key ${made}`);
  const { body: key } = await call('POST', '/keys', {});
  expect(await call('POST', '/keys', {}, 'one more')).toMatchObject({ status: 429 });
  const tokens = `/tokens/${String(token['tokenId'])}`;
  for (let time = 0; time < 2; time += 1) {
    expect(await call('POST', `${tokens}/revoke`, {}, 'revoke')).toMatchObject({ status: 200 });
    expect(await call('POST', `/keys/${String(key['keyId'])}/suspend`, {}, 'suspend')).toMatchObject({ status: 200 });
  }
  expect(await call('GET', tokens)).toMatchObject({ body: { revokedAt: expect.any(String) } });
});
