import { randomBytes } from 'node:crypto';
import { createDatabase, type Service, startService } from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, send } from './local-service.ts';

const PLATFORM = `qnsp_pqc_${randomBytes(32).toString('base64url')}`;
const DATA = Buffer.from('data').toString('base64');

let database: Awaited<ReturnType<typeof createDatabase>>;
let nodes: readonly [Service, Service];
let tenantId: string;
let token: string;

/** Two services on one PostgreSQL. */
beforeAll(async () => {
  database = await createDatabase();
  const env = {
    DATABASE_URL: database.url,
    KMS_ROOT_KEY: randomBytes(32).toString('base64'),
    KMS_PLATFORM_TOKEN: PLATFORM,
    KMS_JOB_INTERVAL_MS: '200',
  };
  // Both at once: the first start of a fleet is a race.
  nodes = await Promise.all([startService({ env }), startService({ env })]);
  tenantId = String((await platform('POST', '/kms/v1/tenants', { name: 'acme' })).body['tenantId']);
  token = String(
    (await platform('POST', '/kms/v1/tokens', { name: 'admin', role: 'tenant_admin' }, { 'x-qnsp-tenant': tenantId }))
      .body['token'],
  );
});
afterAll(async () => {
  await Promise.all(nodes.map((node) => node.stop()));
  await database.drop();
});

function platform(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  return send(`${nodes[0].baseUrl}${path}`, method, PLATFORM, body, headers);
}

function on(
  node: number,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return send(`${nodes[node % 2 === 0 ? 0 : 1].baseUrl}${path}`, method, token, body, headers);
}

async function createKey(body: object = {}): Promise<string> {
  const key = await on(0, 'POST', '/kms/v1/keys', body);
  expect(key.status).toBe(201);
  return `/kms/v1/keys/${String(key.body['keyId'])}`;
}

/** Asks again and again until the answer is the refusal. None that was asked for a second after the change is another. */
async function untilRefused(ask: () => Promise<Answer>, status: number, changedAt: number): Promise<void> {
  for (;;) {
    const askedAt = performance.now();
    const answer = await ask();
    if (answer.status === status) return;
    expect(answer.status).toBe(200);
    expect(askedAt - changedAt).toBeLessThan(1000);
  }
}

describe('two nodes on one PostgreSQL', () => {
  test('maxOperations is exact under concurrency', async () => {
    const path = await createKey({ usageLimits: { maxOperations: 100 } });
    const answers = await Promise.all(
      Array.from({ length: 150 }, (_, index) => on(index, 'POST', `${path}/encrypt`, { plaintext: DATA })),
    );
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(100);
    expect(
      answers.filter((answer) => answer.body['code'] === 'KEY_USAGE_EXCEEDED' && answer.status === 422),
    ).toHaveLength(50);
  });

  test('concurrent rotations give versions without gaps and one active version', async () => {
    const path = await createKey();
    const rotate = async (index: number): Promise<number> => {
      const headers = { 'idempotency-key': `rotation ${index}` };
      const { status } = await on(index, 'POST', `${path}/rotate`, undefined, headers);
      // The last in the queue for the key may have to wait for longer than a call may take, on a machine that is busy.
      return status === 503 ? rotate(index) : status;
    };
    const statuses = await Promise.all(Array.from({ length: 20 }, (_, index) => rotate(index)));
    expect(statuses).toEqual(Array(20).fill(200));
    const versions = (await on(1, 'GET', path)).body['versions'] as { version: number; state: string }[];
    expect(versions.map((version) => version.version)).toEqual(Array.from({ length: 21 }, (_, index) => index + 1));
    expect(versions.filter((version) => version.state === 'active')).toHaveLength(1);
  });

  test('an idempotency key runs once across nodes', async () => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        on(index, 'POST', '/kms/v1/keys', { name: 'once' }, { 'idempotency-key': 'fleet-once' }),
      ),
    );
    expect(new Set(answers.map((answer) => `${answer.status} ${String(answer.body['keyId'])}`)).size).toBe(1);
  });

  test('a change of state counts at once on its own node and within a second on the other, where the key is hot', async () => {
    const path = await createKey();
    const encryptOn = (node: number) => on(node, 'POST', `${path}/encrypt`, { plaintext: DATA });
    for (const node of [0, 1]) expect((await encryptOn(node)).status).toBe(200);
    await on(0, 'POST', `${path}/revoke`, { reason: 'suspected_compromise' });
    const revokedAt = performance.now();
    expect(await encryptOn(0)).toMatchObject({ status: 409, body: { code: 'KEY_STATE_INVALID' } });
    await untilRefused(() => encryptOn(1), 409, revokedAt);
  });

  test('a revoked token ends at once on its own node and within a second on the other', async () => {
    const made = await on(0, 'POST', '/kms/v1/tokens', { name: 'short', role: 'auditor' });
    const short = String(made.body['token']);
    const listOn = (node: Service) => send(`${node.baseUrl}/kms/v1/keys`, 'GET', short);
    for (const node of nodes) expect((await listOn(node)).status).toBe(200);
    await on(0, 'POST', `/kms/v1/tokens/${String(made.body['tokenId'])}/revoke`);
    const revokedAt = performance.now();
    expect((await listOn(nodes[0])).status).toBe(401);
    await untilRefused(() => listOn(nodes[1]), 401, revokedAt);
  });

  test('a platform credential must name a tenant, and a tenant credential manages none', async () => {
    expect(await platform('GET', '/kms/v1/keys')).toMatchObject({ status: 400, body: { code: 'BAD_REQUEST' } });
    expect(await platform('GET', '/kms/v1/keys', undefined, { 'x-qnsp-tenant': tenantId })).toMatchObject({
      status: 200,
    });
    expect(await on(0, 'GET', '/kms/v1/tenants')).toMatchObject({ status: 403, body: { code: 'FORBIDDEN' } });
    expect((await platform('GET', '/kms/v1/tenants')).body['items']).toHaveLength(1);
  });

  test('a shredded tenant is gone at once on its own node and within a second on the other', async () => {
    const other = String((await platform('POST', '/kms/v1/tenants', { name: 'short-lived' })).body['tenantId']);
    const headers = { 'x-qnsp-tenant': other };
    const key = await platform('POST', '/kms/v1/keys', {}, headers);
    const path = `/kms/v1/keys/${String(key.body['keyId'])}/encrypt`;
    expect((await send(`${nodes[1].baseUrl}${path}`, 'POST', PLATFORM, { plaintext: DATA }, headers)).status).toBe(200);
    expect(
      (
        await platform('POST', `/kms/v1/tenants/${other}/crypto-shred`, {
          confirmation: `SHRED-${other}`,
          reason: 'test',
        })
      ).body,
    ).toMatchObject({ state: 'shredded' });
    const shreddedAt = performance.now();
    const encryptOn = (node: Service) => send(`${node.baseUrl}${path}`, 'POST', PLATFORM, { plaintext: DATA }, headers);
    expect((await encryptOn(nodes[0])).status).toBe(404);
    await untilRefused(() => encryptOn(nodes[1]), 404, shreddedAt);
  });
});
