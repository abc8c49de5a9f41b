import { randomBytes } from 'node:crypto';
import { type Checkpoint, runAuditExport, verifyExport } from '@qnsp/kms-audit';
import { createDatabase, type Service, startService, type TestDatabase } from '@qnsp/test-harness';
import postgres, { type Sql } from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { evidenceEnv, PUBLIC_KEY_PEM, type Receiver, startReceiver } from './evidence-sample.ts';
import { runLoad } from './load.ts';
import { send } from './local-service.ts';

const PLATFORM = `qnsp_pqc_${randomBytes(32).toString('base64url')}`;
const TENANTS = 4;
const CALLS = 150;

let database: TestDatabase;
let sql: Sql;
let receiver: Receiver;
let env: Record<string, string>;
let nodes: Service[];
let tenants: string[];
/** The ids of the batches that were sent, in the order in which they came. */
const sent: string[] = [];

beforeAll(async () => {
  [database, receiver] = await Promise.all([createDatabase(), startReceiver()]);
  sql = postgres(database.url, { max: 1, onnotice: () => undefined });
  receiver.server.prependListener('request', ({ headers }) => void sent.push(String(headers['idempotency-key'])));
  env = {
    DATABASE_URL: database.url,
    KMS_ROOT_KEY: randomBytes(32).toString('base64'),
    KMS_PLATFORM_TOKEN: PLATFORM,
    LOG_LEVEL: 'warn',
    ...evidenceEnv(receiver.url),
  };
  // The first one migrates.
  nodes = [await startService({ env })];
  nodes.push(await startService({ env }));
  tenants = [];
  for (let count = 0; count < TENANTS; count += 1) tenants.push(await newTenant(count));
}, 600_000);
afterAll(async () => {
  await Promise.all(nodes.map((node) => node.stop()));
  await sql.end();
  await receiver.close();
  await database.drop();
});

function nodeAt(index: number): Service {
  const node = nodes[index % nodes.length];
  if (node === undefined) throw new Error('there is a node');
  return node;
}

function call(path: string, body: object, headers = {}) {
  return send(`${nodeAt(0).baseUrl}/kms/v1/${path}`, 'POST', PLATFORM, body, headers);
}

/** A tenant, whose calls go to either node. */
async function newTenant(count: number): Promise<string> {
  return String((await call('tenants', { name: `tenant ${count}` })).body['tenantId']);
}

/** Encrypts for a tenant by both nodes at once. Answers how many events that must have left. */
async function load(tenantId: string): Promise<number> {
  const headers = { 'x-qnsp-tenant': tenantId };
  const token = String((await call('tokens', { name: 'load', role: 'tenant_admin' }, headers)).body['token']);
  const { keyId } = (await call('keys', {}, headers)).body;
  const outcomes = await Promise.all(
    nodes.map(({ baseUrl }, index) =>
      runLoad({
        baseUrl: () => baseUrl,
        path: `/kms/v1/keys/${String(keyId)}/encrypt`,
        token,
        body: JSON.stringify({ plaintext: 'AAAA' }),
        concurrency: 4,
        prefix: `${tenantId}-${index}`,
        more: (answered) => answered < CALLS,
      }),
    ),
  );
  expect(outcomes.flat().filter(({ status }) => status !== 200)).toEqual([]);
  // With the token and the key.
  return outcomes.flat().length + 2;
}

/** Asked of the database: what a node says of it is up to one look old. */
async function allDelivered(): Promise<void> {
  const waiting = async () => {
    const [row] = await sql`select (select count(*) from kms.evidence_outbox)
      + (select coalesce(sum(sequence - delivered), 0) from kms.evidence_chains) as events`;
    return Number(row?.['events']);
  };
  await expect.poll(waiting, { timeout: 60_000, interval: 100 }).toBe(0);
}

async function exported(tenantId: string): Promise<{ readonly lines: string[]; readonly latest: Checkpoint }> {
  const get = async (path: string) => {
    const response = await fetch(`${nodeAt(0).baseUrl}/kms/v1/audit/${path}`, {
      headers: { authorization: `Bearer ${PLATFORM}`, 'x-qnsp-tenant': tenantId },
    });
    expect(response.status).toBe(200);
    return response.text();
  };
  const pages: string[] = [];
  const latest = await runAuditExport(
    {
      latestCheckpoint: async () => (JSON.parse(await get('checkpoints?limit=1')) as { items: Checkpoint[] }).items[0],
      page: (after) => get(`export?after=${after}`),
    },
    (text) => void pages.push(text),
  );
  if (latest === undefined) throw new Error('there is evidence');
  return { lines: pages.join('').trimEnd().split('\n'), latest };
}

/** Changes rows as their owner can, who gets around triggers. */
async function tamper(statement: string): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`set local session_replication_role = replica`;
    await tx.unsafe(statement);
  });
}

test('two nodes under load send no batch twice, and make one chain for each tenant', { timeout: 600_000 }, async () => {
  const left = await Promise.all(tenants.map(load));
  await allDelivered();
  expect(sent.length).toBeGreaterThan(TENANTS);
  expect(new Set(sent).size).toBe(sent.length);
  for (const [index, tenantId] of tenants.entries()) {
    // The receiver's file is in the order in which batches came.
    const lines = receiver.lines(tenantId);
    const report = await verifyExport(lines, { publicKeysPem: [PUBLIC_KEY_PEM] });
    expect(report).toMatchObject({ verified: true, gaps: 0, events: left[index] });
    const checkpoints = await sql`select from kms.evidence_checkpoints where tenant_id = ${tenantId}`;
    expect(report.checkpoints).toBe(checkpoints.length);
  }
});

test('rows that their owner changed are found in the export', { timeout: 600_000 }, async () => {
  const [edited = '', deleted = '', cut = ''] = tenants;
  // Nothing is sealed any more behind the batch that counts as the last.
  await allDelivered();
  const witness = (await exported(cut)).latest;
  // Reading evidence leaves evidence. A batch that is cut off before it was delivered would wait forever.
  await allDelivered();
  const idAt = async (tenantId: string, sequence: number) => {
    const [row] =
      await sql`select event_id from kms.evidence_events where tenant_id = ${tenantId} and sequence = ${sequence}`;
    return String(row?.['event_id']);
  };
  const [seventh, ninth] = [await idAt(edited, 7), await idAt(deleted, 9)];
  await tamper(
    `update kms.evidence_events set event = replace(event, '"success"', '"failure"') where tenant_id = '${edited}' and sequence = 7`,
  );
  await tamper(`delete from kms.evidence_events where tenant_id = '${deleted}' and sequence = 8`);
  // The last batch, with its checkpoint, and the chain set back to before it.
  await tamper(`
    delete from kms.evidence_events where tenant_id = '${cut}' and sequence >= ${witness.firstSequence};
    delete from kms.evidence_checkpoints where tenant_id = '${cut}' and first_sequence >= ${witness.firstSequence}`);
  const at = { publicKeysPem: [PUBLIC_KEY_PEM] };
  expect(await verifyExport((await exported(edited)).lines, at)).toMatchObject({
    verified: false,
    firstBad: { sequence: 7, eventId: seventh, reason: /changed/ },
  });
  expect(await verifyExport((await exported(deleted)).lines, at)).toMatchObject({
    verified: false,
    gaps: 1,
    firstBad: { sequence: 9, eventId: ninth, reason: /event 8 is missing/ },
  });
  const { lines, latest } = await exported(cut);
  // When the evidence of this reading was sealed meanwhile, what was cut off is missing before it.
  const goesOn = latest.lastSequence >= witness.firstSequence;
  expect(await verifyExport(lines, { ...at, latestCheckpoint: witness })).toMatchObject({
    verified: false,
    firstBad: goesOn
      ? { reason: expect.stringContaining(`the events ${witness.firstSequence} to `) as string }
      : { sequence: witness.firstSequence, eventId: witness.firstEventId, reason: /cut off/ },
  });
});

test('what retention removed is verified by its checkpoints up to a date', { timeout: 600_000 }, async () => {
  const tenantId = tenants[3] ?? '';
  await allDelivered();
  const before = await exported(tenantId);
  await Promise.all(nodes.map((node) => node.stop()));
  // Two days pass for all batches but the last; the first was refused by the audit service.
  await tamper(`
    update kms.evidence_checkpoints set sealed_at = sealed_at - interval '2 days'
      where tenant_id = '${tenantId}' and last_sequence < ${before.latest.lastSequence};
    update kms.evidence_checkpoints set refusal = 'no' where tenant_id = '${tenantId}' and first_sequence = 1`);
  nodes = [await startService({ env: { ...env, KMS_AUDIT_RETENTION_DAYS: '1' } })];
  const first =
    await sql`select last_sequence from kms.evidence_checkpoints where tenant_id = ${tenantId} and first_sequence = 1`;
  const kept = Number(first[0]?.['last_sequence']) + before.latest.eventCount;
  const count = async () => {
    const rows =
      await sql`select from kms.evidence_events where tenant_id = ${tenantId} and sequence <= ${before.latest.lastSequence}`;
    return rows.length;
  };
  await expect.poll(count, { timeout: 30_000 }).toBe(kept);
  const { lines, latest } = await exported(tenantId);
  const at = { publicKeysPem: [PUBLIC_KEY_PEM], latestCheckpoint: latest };
  const tomorrow = new Date(Date.now() + 86_400_000);
  expect(await verifyExport(lines, { ...at, retiredBefore: tomorrow })).toMatchObject({
    verified: true,
    gaps: 0,
    retired: before.latest.lastSequence - kept,
    endProven: true,
  });
  expect(await verifyExport(lines, at)).toMatchObject({ verified: false });
  expect(await verifyExport(lines, { ...at, retiredBefore: new Date(0) })).toMatchObject({ verified: false });
});
