import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { createDatabase, type TestDatabase } from '@qnsp/test-harness';
import type { Sql } from 'postgres';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { evidenceEnv, listen } from '../evidence-sample.ts';
import { openAdminSession } from './database-invariants.ts';
import { type KmsOnPostgres, startKms } from './kms-on-postgres.ts';
import { type PostgresProxy, startPostgresProxy, type WireMessage } from './postgres-proxy.ts';

let database: TestDatabase;
let proxy: PostgresProxy;
let kms: KmsOnPostgres;
let sql: Sql;
/** Batches that the audit service was sent, and by whom; it never answers while it hangs. */
const sent: string[] = [];
let hangs = false;
const audit = createServer((request, response) => {
  request.resume();
  request.on('end', () => {
    const batchId = String(request.headers['idempotency-key']);
    sent.push(batchId);
    if (!hangs) response.end(JSON.stringify({ batchId }));
  });
});

beforeAll(async () => {
  database = await createDatabase();
  proxy = await startPostgresProxy(database.url);
  const url = `http://127.0.0.1:${await listen(audit)}`;
  const env = { KMS_JOB_INTERVAL_MS: '3600000', ...evidenceEnv(url) };
  kms = await startKms({ databaseUrl: proxy.url, nodes: 2, timeoutMs: 2000, env });
  sql = openAdminSession(database.url);
}, 600_000);
afterEach(() => {
  proxy.decide = () => 'pass';
  hangs = false;
});
afterAll(async () => {
  await sql.end({ timeout: 1 });
  await kms.stop();
  audit.closeAllConnections();
  audit.close();
  await proxy.stop();
  await database.drop();
});

/**
 * Cuts the connection of a tenant's unit of work at its COMMIT, or at the answer to it, and everything else from then on until
 * it is let through again.
 */
function cutTenantsCommit(at: 'COMMIT' | 'answer', staysAway: boolean): () => boolean {
  const ofTenant = new Set<number>();
  let cut = false;
  proxy.decide = ({ from, type, text, connection, ofNotices }: WireMessage) => {
    if (ofNotices) return 'pass';
    if (cut) return staysAway ? 'cut' : 'pass';
    if (from === 'service' && type === 'Q' && text.startsWith('begin')) {
      if (text.includes(`'kms.scope', 'tenant'`)) ofTenant.add(connection);
      else ofTenant.delete(connection);
    }
    if (!ofTenant.has(connection)) return 'pass';
    const isIt = at === 'COMMIT' ? type === 'Q' && text.endsWith('commit') : from === 'postgres' && text === 'COMMIT';
    if (!isIt) return 'pass';
    cut = true;
    return 'cut';
  };
  return () => cut;
}

async function eventsOf(requestId: string): Promise<readonly unknown[]> {
  const rows = await sql<{ result: string }[]>`
    select event::json ->> 'result' as result from (
      select event from kms.evidence_outbox union all select event from kms.evidence_events) as events
    where event::json -> 'context' ->> 'requestId' = ${requestId}`;
  return rows.map(({ result }) => result);
}

async function aimAtKey() {
  const made = await kms.call({ method: 'POST', path: '/kms/v1/keys', body: {} });
  const path = `/kms/v1/keys/${String(made.body['keyId'])}`;
  const idempotencyKey = randomUUID();
  const revoke = (requestId: string) =>
    kms.call({
      method: 'POST',
      path: `${path}/revoke`,
      body: { reason: 'suspected_compromise' },
      headers: { 'x-request-id': requestId, 'idempotency-key': idempotencyKey },
    });
  const state = async () => (await kms.call({ method: 'GET', path })).body['state'];
  return { revoke, state };
}

test.each([
  { at: 'COMMIT', after: 'is back', status: 503, outcome: undefined, result: 'failure', state: 'active' },
  { at: 'answer', after: 'is back', status: 200, outcome: undefined, result: 'success', state: 'revoked' },
  { at: 'COMMIT', after: 'stays away', status: 503, outcome: 'unknown', result: 'failure', state: 'active' },
  { at: 'answer', after: 'stays away', status: 503, outcome: 'unknown', result: 'success', state: 'revoked' },
] as const)(
  'cut at the $at of a revocation, and the database $after: it answers $status and leaves one event, a $result',
  { timeout: 600_000 },
  async ({ at, after, status, outcome, result, state }) => {
    const key = await aimAtKey();
    const requestId = randomUUID();
    const wasCut = cutTenantsCommit(at, after === 'stays away');
    const answer = await key.revoke(requestId);
    expect(wasCut()).toBe(true);
    expect(answer.status).toBe(status);
    expect((answer.body['details'] as { outcome?: unknown } | undefined)?.outcome).toBe(outcome);
    if (outcome !== undefined) expect(answer.body['message']).toMatch(/Idempotency-Key/);
    proxy.decide = () => 'pass';
    await expect.poll(() => eventsOf(requestId), { timeout: 20_000 }).toEqual([result]);
    await expect.poll(() => key.state(), { timeout: 20_000 }).toBe(state);
    expect(await key.revoke(randomUUID())).toMatchObject({ status: 200, body: { state: 'revoked' } });
    expect(await key.state()).toBe('revoked');
    expect(await eventsOf(requestId)).toEqual([result]);
  },
);

test('what a node that is gone was delivering is delivered by another one at once', { timeout: 600_000 }, async () => {
  hangs = true;
  sent.length = 0;
  await kms.call({ method: 'POST', path: '/kms/v1/keys', body: {} });
  await expect.poll(() => sent.length, { timeout: 20_000 }).toBeGreaterThan(0);
  const held = await sql<
    { owner: string }[]
  >`select lease_owner as owner from kms.evidence_chains where lease_owner is not null`;
  expect(held).not.toHaveLength(0);
  await Promise.all([kms.kill9(0), kms.kill9(1)]);
  const killed = performance.now();
  hangs = false;
  await kms.start(1);
  const waiting = () => sql`select from kms.evidence_chains where delivered < sequence`;
  await expect.poll(waiting, { timeout: 20_000 }).toHaveLength(0);
  expect(performance.now() - killed).toBeLessThan(15_000);
  await kms.start(0);
});
