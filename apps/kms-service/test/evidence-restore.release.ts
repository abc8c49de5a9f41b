import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Checkpoint, parseExportLine, runAuditExport, verifyExport } from '@qnsp/kms-audit';
import {
  createDatabase,
  findPostgresBinaries,
  type Service,
  startService,
  tempDir,
  type TestDatabase,
} from '@qnsp/test-harness';
import postgres, { type Sql } from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { evidenceEnv, PUBLIC_KEY_PEM, type Receiver, startReceiver } from './evidence-sample.ts';
import { send } from './local-service.ts';

const SYSTEM = '00000000-0000-0000-0000-000000000000';
const SCRIPTS = fileURLToPath(new URL('../../../deploy/backup', import.meta.url));
const PLATFORM = `qnsp_pqc_${randomBytes(32).toString('base64url')}`;
const PLAINTEXT = Buffer.from('attack at dawn').toString('base64');
const directory = tempDir('qnsp-evidence-restore-');
const dump = join(directory.path, 'kms.dump');
const rootKey = randomBytes(32).toString('base64');
const at = { publicKeysPem: [PUBLIC_KEY_PEM] };
let receiver: Receiver;
let source: TestDatabase;
let sql: Sql;
let tenantId: string;

beforeAll(async () => {
  [receiver, source] = await Promise.all([startReceiver(), createDatabase()]);
  sql = postgres(source.url, { max: 1, onnotice: () => undefined });
});
afterAll(async () => {
  await sql.end();
  await source.drop();
  await receiver.close();
  await directory.remove();
});

function start(url: string, env: Readonly<Record<string, string>> = {}): Promise<Service> {
  return startService({
    env: {
      DATABASE_URL: url,
      KMS_ROOT_KEY: rootKey,
      KMS_PLATFORM_TOKEN: PLATFORM,
      ...evidenceEnv(receiver.url),
      ...env,
    },
  });
}

function script(name: string, ...args: readonly string[]): string {
  const binaries = findPostgresBinaries() ?? '';
  const env = { PATH: `${binaries}:${process.env['PATH']}` };
  return execFileSync(join(SCRIPTS, name), args, { encoding: 'utf8', env });
}

async function call(service: Service, method: string, path: string, body?: unknown) {
  const headers = tenantId === undefined ? {} : { 'x-qnsp-tenant': tenantId };
  const answer = await send(`${service.baseUrl}/kms/v1/${path}`, method, PLATFORM, body, headers);
  expect(answer.status, `${method} ${path} ${JSON.stringify(answer.body)}`).toBeLessThan(300);
  return answer.body;
}

/** Leaves some events in the chain of the tenant, and one in that of the service. */
async function work(service: Service): Promise<void> {
  expect((await send(`${service.baseUrl}/kms/v1/tenants`, 'GET', PLATFORM)).status).toBe(200);
  const { keyId } = await call(service, 'POST', 'keys', {});
  for (let use = 0; use < 5; use += 1)
    await call(service, 'POST', `keys/${String(keyId)}/encrypt`, { plaintext: PLAINTEXT });
}

async function health(service: Service) {
  return (await send(`${service.baseUrl}/health`, 'GET', undefined)).body;
}

/** Waits until everything in a database is sealed and delivered, or refused. */
async function allDelivered(database: Sql): Promise<void> {
  const waiting = async () => {
    const [row] = await database`select (select count(*) from kms.evidence_outbox)
      + (select coalesce(sum(sequence - delivered), 0) from kms.evidence_chains) as waiting`;
    return Number(row?.['waiting']);
  };
  await expect.poll(waiting, { timeout: 30_000 }).toBe(0);
}

/** Leaves an event as an operation does whose service ends before it is sealed. */
async function leaveUnsealed(): Promise<string> {
  const [row] = await sql`
    insert into kms.evidence_outbox (tenant_id, event_id, event)
    select tenant_id, id, jsonb_set(event::jsonb, '{eventId}', to_jsonb(id::text))::text
    from (select *, gen_random_uuid() as id from kms.evidence_events where tenant_id = ${tenantId} limit 1) e
    returning event_id`;
  return String(row?.['event_id']);
}

function eventsOf(lines: readonly string[]) {
  return lines.flatMap((line) => {
    const parsed = parseExportLine(line);
    return parsed?.kind === 'event' ? [parsed.entry.event] : [];
  });
}

function latestReceived(tenant: string): Checkpoint {
  const last = parseExportLine(receiver.lines(tenant).at(-1) ?? '');
  if (last?.kind !== 'checkpoint') throw new Error('the file of the receiver ends with a checkpoint');
  return last.checkpoint;
}

async function exported(service: Service): Promise<string[]> {
  const pages: string[] = [];
  const get = async (path: string) => {
    const headers = { authorization: `Bearer ${PLATFORM}`, 'x-qnsp-tenant': tenantId };
    const response = await fetch(`${service.baseUrl}/kms/v1/audit/${path}`, { headers });
    expect(response.status).toBe(200);
    return response.text();
  };
  await runAuditExport(
    {
      latestCheckpoint: async () => (JSON.parse(await get('checkpoints?limit=1')) as { items: Checkpoint[] }).items[0],
      page: (after) => get(`export?after=${after}`),
    },
    (text) => void pages.push(text),
  );
  return pages.join('').trimEnd().split('\n');
}

describe('evidence over a restore', { timeout: 600_000 }, () => {
  test('goes on in an epoch of its own, which the receiver takes and everybody can verify', async () => {
    const original = await start(source.url);
    tenantId = String((await call(original, 'POST', 'tenants', { name: 'acme' }))['tenantId']);
    await work(original);
    await allDelivered(sql);
    await original.stop();
    const waited = await leaveUnsealed();
    script('backup.sh', source.url, dump);
    // A life of its own after the backup, in which what waited is sealed.
    const later = await start(source.url);
    await work(later);
    await allDelivered(sql);
    await later.stop();
    const lost = latestReceived(tenantId);
    expect(eventsOf(receiver.lines(tenantId)).map(({ eventId }) => eventId)).toContain(waited);

    const target = await createDatabase();
    const restoredSql = postgres(target.url, { max: 1, onnotice: () => undefined });
    const asOf = /data of (\S+)\./.exec(script('restore.sh', dump, target.url))?.[1] ?? '';
    const restored = await start(target.url, { KMS_ACCEPT_RESTORED_COPY: asOf });
    try {
      await work(restored);
      await allDelivered(restoredSql);
      const refused = await restoredSql`select from kms.evidence_checkpoints where refusal is not null`;
      expect(refused).toHaveLength(0);

      // Both chains of the receiver, that of the tenant and that of the service, are whole over the seam.
      for (const tenant of [tenantId, SYSTEM]) {
        const lines = receiver.lines(tenant);
        const report = await verifyExport(lines, { ...at, latestCheckpoint: latestReceived(tenant) });
        expect(report, tenant).toMatchObject({ verified: true, endProven: true, epochs: [{ dataAsOf: asOf }] });
        const ids = eventsOf(lines).map(({ eventId }) => eventId);
        expect(new Set(ids).size).toBe(ids.length);
      }
      const [epoch] = (await verifyExport(receiver.lines(tenantId), at)).epochs;
      expect(epoch?.abandoned?.lastSequence).toBe(lost.lastSequence);
      expect(eventsOf(receiver.lines(tenantId)).filter(({ repeats }) => repeats === waited)).toHaveLength(1);

      // The service's own export is whole by itself, and shows what was lost when it is held against the audit service's.
      const witness = latestReceived(tenantId);
      const lines = await exported(restored);
      expect(await verifyExport(lines, { ...at, latestCheckpoint: witness })).toMatchObject({
        verified: true,
        provenUpTo: witness.lastSequence,
        epochs: [{ abandoned: null }],
      });
      expect(await verifyExport(lines, { ...at, latestCheckpoint: lost })).toMatchObject({
        verified: false,
        bad: [{ reason: expect.stringContaining('from before the restore of') }],
      });
      expect(await health(restored)).toMatchObject({
        status: 'ok',
        checks: {
          evidence: {
            status: 'ok',
            message: expect.stringContaining(`the chains continue in a new epoch, from data of ${asOf}`),
          },
        },
      });
      // A receiver that is started anew knows the epochs from its file.
      await receiver.restart();
      await work(restored);
      await allDelivered(restoredSql);
      expect(await verifyExport(receiver.lines(tenantId), at)).toMatchObject({
        verified: true,
        epochs: [{ dataAsOf: asOf }],
      });
    } finally {
      await restored.stop();
      await restoredSql.end();
      await target.drop();
    }
  });

  test('is switched off and on with an event at both ends of each chain, however often the service starts', async () => {
    const switches = async () => {
      const rows = await sql`
        select tenant_id, event_type from kms.evidence_events
        where event_type in ('kms.audit.enabled', 'kms.audit.disabled') order by tenant_id, sequence`;
      return rows.map((row) => `${row['tenant_id'] === SYSTEM ? 'service' : 'tenant'} ${String(row['event_type'])}`);
    };
    for (const enabled of ['false', 'false', 'true', 'true']) {
      const service = await start(source.url, { KMS_EVIDENCE_ENABLED: enabled });
      await work(service);
      if (enabled === 'true') await allDelivered(sql);
      await service.stop();
    }
    expect(await switches()).toEqual([
      'service kms.audit.enabled',
      'service kms.audit.disabled',
      'service kms.audit.enabled',
      'tenant kms.audit.disabled',
      'tenant kms.audit.enabled',
    ]);
  });
});
