import { createServer, type Server } from 'node:http';
import { randomBytes } from 'node:crypto';
import { createDatabase, startService } from '@qnsp/test-harness';
import postgres from 'postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { evidenceEnv, listen } from './evidence-sample.ts';
import { waitingEvents } from './load.ts';
import { type LocalService, send, startLocalService } from './local-service.ts';

const PLAINTEXT = Buffer.from('the plaintext').toString('base64');
/** How the audit service is. */
let mood: 'well' | 'down' | 'refuses';
/** The ids of the batches that it was sent. */
let batches: string[];
let sink: Server;
let url: string;
let service: LocalService;
let path: string;

beforeAll(async () => {
  mood = 'well';
  batches = [];
  sink = createServer((request, response) => {
    const batchId = String(request.headers['idempotency-key']);
    request.resume();
    request.on('end', () => {
      batches.push(batchId);
      if (mood === 'down') response.writeHead(503).end();
      else response.writeHead(mood === 'refuses' ? 422 : 200).end(JSON.stringify({ batchId }));
    });
  });
  url = `http://127.0.0.1:${await listen(sink)}`;
  service = await startLocalService({ ...evidenceEnv(url), KMS_AUDIT_MAX_BACKLOG: '100' });
  path = `/kms/v1/keys/${String((await service.call('POST', '/kms/v1/keys', {})).body['keyId'])}/encrypt`;
});
beforeEach(async () => {
  mood = 'well';
  await vi.waitFor(async () => expect(await waitingEvents(service.service)).toBe(0), { timeout: 30_000 });
});
afterAll(async () => {
  await service.end();
  sink.closeAllConnections();
  sink.close();
});

function encrypt(items = 1) {
  const body =
    items === 1 ? { plaintext: PLAINTEXT } : { items: Array.from({ length: items }, () => ({ plaintext: PLAINTEXT })) };
  return service.call('POST', path, body);
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${service.service.baseUrl}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1]);
}

describe('while the audit service takes nothing', () => {
  test('operations go on until the backlog is full, are then refused, and go on when it is well', async () => {
    mood = 'down';
    expect((await encrypt()).status).toBe(200);
    expect((await encrypt(120)).status).toBe(200);
    // It is counted a few times a second.
    await expect.poll(async () => (await encrypt()).status, { timeout: 20_000, interval: 50 }).toBe(503);
    const refused = await encrypt();
    expect(refused).toMatchObject({ status: 503, body: { code: 'AUDIT_UNAVAILABLE' } });
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(JSON.stringify(refused.body)).not.toContain('ciphertext');
    for (const [method, other] of [
      ['GET', '/kms/v1/keys'],
      ['POST', '/kms/v1/keys'],
      ['POST', path.replace('encrypt', 'rotate')],
    ] as const) {
      const body = method === 'GET' ? undefined : {};
      expect(await service.call(method, other, body)).toMatchObject({
        status: 503,
        body: { code: 'AUDIT_UNAVAILABLE' },
      });
    }
    // Nothing was dropped to make room.
    await expect.poll(() => waitingEvents(service.service), { timeout: 10_000 }).toBeGreaterThanOrEqual(121);
    mood = 'well';
    await expect.poll(async () => (await encrypt()).status, { timeout: 30_000, interval: 100 }).toBe(200);
    const { body } = await service.call('GET', path.replace('/encrypt', ''));
    expect(body).toMatchObject({ currentVersion: 1 });
  });

  test('and refuses a batch for ever, the log has an error, a gauge rises, and the next batch follows', async () => {
    const before = await metric('kms_evidence_refused_batches');
    mood = 'refuses';
    batches = [];
    await encrypt();
    await expect.poll(() => metric('kms_evidence_refused_batches'), { timeout: 10_000 }).toBeGreaterThan(before);
    mood = 'well';
    const [batchId] = batches;
    const lines = service.service
      .logs()
      .split('\n')
      .filter((line) => line.includes('evidence permanently refused by the audit service'))
      .map((line) => JSON.parse(line) as object);
    expect(lines).toContainEqual(
      expect.objectContaining({
        level: 'error',
        tenantId: service.tenantId,
        batchId,
        reason: 'the audit service answered 422',
      }),
    );
    const answered = batches.length;
    await encrypt();
    await expect.poll(() => batches.length, { timeout: 10_000 }).toBeGreaterThan(answered);
    await expect.poll(() => waitingEvents(service.service), { timeout: 10_000 }).toBe(0);
    // It stays to be looked at.
    const { body } = await service.call('GET', '/kms/v1/audit/checkpoints?limit=200');
    expect((body['items'] as { checkpointId: string }[]).map(({ checkpointId }) => checkpointId)).toContain(batchId);
  });
});

test('with evidence off none is kept, whatever else is set', async () => {
  const database = await createDatabase();
  const token = `qnsp_pqc_${randomBytes(32).toString('base64url')}`;
  const node = await startService({
    env: {
      DATABASE_URL: database.url,
      KMS_ROOT_KEY: randomBytes(32).toString('base64'),
      KMS_PLATFORM_TOKEN: token,
      ...evidenceEnv(url),
      KMS_EVIDENCE_ENABLED: 'false',
    },
  });
  const tenant = await send(`${node.baseUrl}/kms/v1/tenants`, 'POST', token, { name: 'off' });
  const call = (method: string, to: string, body?: object) =>
    send(`${node.baseUrl}/kms/v1/${to}`, method, token, body, { 'x-qnsp-tenant': String(tenant.body['tenantId']) });
  batches = [];
  const key = `keys/${String((await call('POST', 'keys', {})).body['keyId'])}`;
  expect((await call('POST', `${key}/encrypt`, { plaintext: PLAINTEXT })).status).toBe(200);
  expect((await call('POST', `${key}/rotate`, {})).status).toBe(200);
  for (const route of ['events', 'checkpoints', 'export', `events/${key.slice(5)}/proof`])
    expect(await call('GET', `audit/${route}`)).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
  const sql = postgres(database.url, { max: 1 });
  const [rows] = await sql`
    select (select count(*) from kms.evidence_outbox) + (select count(*) from kms.evidence_chains)
      + (select count(*) from kms.evidence_checkpoints) + (select count(*) from kms.evidence_events) as count`;
  expect(Number(rows?.['count'])).toBe(0);
  expect(batches).toEqual([]);
  await sql.end();
  await node.stop();
  await database.drop();
});
