import { randomBytes, randomUUID } from 'node:crypto';
import { createDatabase, type Service, startService, type TestDatabase } from '@qnsp/test-harness';
import postgres, { type Sql } from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { send } from './local-service.ts';

const PLATFORM = `qnsp_pqc_${randomBytes(32).toString('base64url')}`;
const ENV = {
  KMS_ROOT_KEY: randomBytes(32).toString('base64'),
  KMS_PLATFORM_TOKEN: PLATFORM,
  KMS_JOB_INTERVAL_MS: '200',
};

let database: TestDatabase;
let sql: Sql;
const running: Service[] = [];

beforeAll(async () => {
  database = await createDatabase();
  sql = postgres(database.url, { max: 1, onnotice: () => undefined });
});
afterAll(async () => {
  await Promise.all(running.map((service) => service.stop()));
  await sql.end();
  await database.drop();
});

async function start(): Promise<Service> {
  const service = await startService({ env: { ...ENV, DATABASE_URL: database.url } });
  running.push(service);
  return service;
}

/** A node of the release before the formats: its row says nothing of them. Answers how it ends. */
async function earlierNode(): Promise<() => Promise<unknown>> {
  const nodeId = randomUUID();
  await sql`insert into kms.fleet_nodes (node_id, version, settings, started_at, alive_until)
    values (${nodeId}, '0.0.0', '{"KMS_EVIDENCE_ENABLED": "false"}', now(), now() + interval '1 hour')`;
  return () => sql`delete from kms.fleet_nodes where node_id = ${nodeId}`;
}

/** Makes a tenant, a token and a key by one node. Answers the formats of their records, and of the wrap of the master key. */
async function formatsOf(service: Service): Promise<Readonly<Record<string, unknown>>> {
  const post = async (path: string, token: string, body: unknown, headers = {}) => {
    const answer = await send(`${service.baseUrl}/kms/v1/${path}`, 'POST', token, body, headers);
    expect(answer.status).toBe(201);
    return answer.body;
  };
  const tenantId = String((await post('tenants', PLATFORM, { name: 'acme' }))['tenantId']);
  const headers = { 'x-qnsp-tenant': tenantId };
  const { token, tokenId } = await post('tokens', PLATFORM, { name: 'admin', role: 'tenant_admin' }, headers);
  const { keyId } = await post('keys', String(token), {});
  const [row] = await sql`select
    (select mac_format from kms.tenants where tenant_id = ${tenantId}) as tenant,
    (select format from kms.tenant_master_key_wraps where tenant_id = ${tenantId}) as wrap,
    (select mac_format from kms.api_tokens where token_id = ${String(tokenId)}) as token,
    (select mac_format from kms.keys where key_id = ${String(keyId)}) as key`;
  return { ...row };
}

const FIRST = { tenant: 1, wrap: 1, token: 1, key: 1 };
const NEWEST = { tenant: 2, wrap: 2, token: 2, key: 2 };

test('records get the newest format from the first one on where no node of an earlier release is there', async () => {
  const [one, other] = [await start(), await start()];
  expect(await formatsOf(one)).toEqual(NEWEST);
  expect(await formatsOf(other)).toEqual(NEWEST);
});

test('records keep the first format until all nodes of an earlier release have ended', async () => {
  const ends = [await earlierNode(), await earlierNode()];
  const node = await start();
  expect(await formatsOf(node)).toEqual(FIRST);
  await ends[0]?.();
  // Several turns of scheduled work, in each of which it looks at the others.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  expect(await formatsOf(node)).toEqual(FIRST);
  await ends[1]?.();
  await expect.poll(() => formatsOf(node), { timeout: 10_000 }).toEqual(NEWEST);
  // Tenants that were created until then get their MAC by scheduled work.
  const unbound = () => sql`select from kms.tenants t join kms.tenant_master_key_wraps w using (tenant_id)
    where name = 'acme' and (t.mac_format = 1 or w.format = 1)`;
  await expect.poll(unbound, { timeout: 10_000 }).toHaveLength(0);
  // One that was thought to be gone changes nothing any more.
  await earlierNode();
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(await formatsOf(node)).toEqual(NEWEST);
});
