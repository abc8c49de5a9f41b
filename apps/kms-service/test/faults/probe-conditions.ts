import { createServer } from 'node:http';
import { createDatabase, type RedisServer, startRedis, type TestDatabase } from '@qnsp/test-harness';
import type { Sql } from 'postgres';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { diagnose } from '../../src/diagnosis.ts';
import { evidenceEnv, listen } from '../evidence-sample.ts';
import { send } from '../local-service.ts';
import { openAdminSession } from './database-invariants.ts';
import { type KmsOnPostgres, startKms } from './kms-on-postgres.ts';

let database: TestDatabase;
let sql: Sql;
let redis: RedisServer;
let kms: KmsOnPostgres | undefined;
let encryptPath: string;
let auditIsWell = true;
const audit = createServer((request, response) => {
  request.resume();
  request.on('end', () => {
    const batchId = String(request.headers['idempotency-key']);
    if (auditIsWell) response.end(JSON.stringify({ batchId }));
    else response.writeHead(503).end();
  });
});

const EVIDENCE = { on: true, off: false } as const;

export interface Condition {
  readonly name: string;
  readonly evidence: keyof typeof EVIDENCE;
  readonly env?: () => Readonly<Record<string, string>>;
  readonly strike: () => Promise<void>;
  /** What calls answer. */
  readonly use: number;
  readonly change: number;
  /** What probes say of it. */
  readonly readyz: number;
  readonly status: 'ok' | 'degraded' | 'critical';
  readonly check: string;
  readonly message: RegExp;
  /** What somebody finds on the host. */
  readonly doctor: { readonly check: string; readonly message: RegExp } | undefined;
}

/** For new sessions, and the ones that there are end. */
async function makeReadOnly(): Promise<void> {
  await sql.unsafe(`alter database ${database.name} set default_transaction_read_only = on`);
  await sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${database.name} and application_name like 'qnsp-kms%'`;
}

/** As on a full disk, for rows: `evidence-disk-full.release.ts` has a real one. */
async function fillTables(): Promise<void> {
  await sql.unsafe(`
    create function kms.no_space() returns trigger language plpgsql as $$
    begin raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$;
    create trigger no_space before insert on kms.evidence_outbox for each row execute function kms.no_space();
    create trigger no_space before insert on kms.keys for each row execute function kms.no_space()`);
}

/** By several tenants: what one alone leaves is only refused to that one. */
async function fillBacklog(): Promise<void> {
  const service = kms;
  if (service === undefined) throw new Error('no service runs');
  const tenants = await Promise.all(
    ['second', 'third'].map(async (name) => {
      const made = await service.platform({ method: 'POST', path: '/kms/v1/tenants', body: { name } });
      return String(made.body['tenantId']);
    }),
  );
  auditIsWell = false;
  const fill = async () => {
    await encrypt();
    for (const tenantId of tenants)
      await service.platform({ method: 'GET', path: '/kms/v1/keys', headers: { 'x-qnsp-tenant': tenantId } });
    return (await send(`${service.baseUrl()}/readyz`, 'GET', undefined)).status;
  };
  await expect.poll(fill, { timeout: 20_000, interval: 1 }).toBe(503);
}

async function waitForAttempts(): Promise<void> {
  auditIsWell = false;
  await encrypt();
  const tried = () => sql`select from kms.evidence_chains where attempts > 1`;
  await expect.poll(tried, { timeout: 20_000 }).not.toHaveLength(0);
}

const nothing = () => Promise.resolve();
const wrongRedis = () => ({ KMS_CACHE_REDIS_URL: `redis://:wrong@127.0.0.1:${redis.port}` });
const smallBacklog = () => ({ KMS_AUDIT_MAX_BACKLOG: '100' });
const readOnly = {
  strike: makeReadOnly,
  change: 503,
  doctor: { check: 'database', message: /read-only|cannot serve/ },
};
const full = { strike: fillTables, change: 503, doctor: { check: 'database', message: /cannot serve/ } };

const CONDITIONS: readonly Condition[] = [
  {
    name: 'all is well',
    evidence: 'on',
    strike: nothing,
    use: 200,
    change: 201,
    readyz: 200,
    status: 'ok',
    check: 'evidence',
    message: /one epoch/,
    doctor: undefined,
  },
  {
    ...readOnly,
    name: 'read-only',
    evidence: 'on',
    use: 503,
    readyz: 503,
    status: 'critical',
    check: 'evidence',
    message: /calls are refused/,
  },
  {
    ...readOnly,
    name: 'read-only',
    evidence: 'off',
    use: 200,
    readyz: 200,
    status: 'degraded',
    check: 'store',
    message: /changes are refused/,
  },
  {
    ...full,
    name: 'disk full',
    evidence: 'on',
    use: 503,
    readyz: 503,
    status: 'critical',
    check: 'evidence',
    message: /calls are refused/,
  },
  {
    ...full,
    name: 'disk full',
    evidence: 'off',
    use: 200,
    readyz: 200,
    status: 'degraded',
    check: 'store',
    message: /changes are refused/,
  },
  {
    name: 'backlog full',
    evidence: 'on',
    env: smallBacklog,
    strike: fillBacklog,
    use: 503,
    change: 503,
    readyz: 503,
    status: 'critical',
    check: 'evidence',
    message: /wait for the audit service/,
    doctor: { check: 'audit service', message: /answers 503/ },
  },
  {
    name: 'audit service down',
    evidence: 'on',
    strike: waitForAttempts,
    use: 200,
    change: 201,
    readyz: 200,
    status: 'degraded',
    check: 'auditService',
    message: /accepts no evidence: \d+ events wait/,
    doctor: { check: 'audit service', message: /answers 503/ },
  },
  {
    name: 'Redis with a wrong password',
    evidence: 'off',
    env: wrongRedis,
    strike: nothing,
    use: 200,
    change: 201,
    readyz: 200,
    status: 'degraded',
    check: 'redis',
    message: /WRONGPASS/,
    doctor: { check: 'Redis', message: /refuses the user or the password/ },
  },
];

function encrypt() {
  if (kms === undefined) throw new Error('no service runs');
  return kms.call({ method: 'POST', path: encryptPath, body: { plaintext: 'AAAA' } });
}

/** One condition in which all is well, and one in which nothing is; the others belong to a release. */
export function isInEveryRun({ name, evidence }: Condition): boolean {
  return evidence === 'on' && ['all is well', 'read-only'].includes(name);
}

/** Declares the tests of the conditions that are chosen: of each, what calls answer and what every probe says. */
export function probesSayWhatCallsDo(isChosen: (condition: Condition) => boolean): void {
  beforeEach(async () => {
    [database, redis] = await Promise.all([createDatabase(), startRedis({ settings: ['--requirepass', 'right'] })]);
    sql = openAdminSession(database.url);
    auditIsWell = true;
  });
  afterEach(async () => {
    await kms?.stop();
    kms = undefined;
    audit.closeAllConnections();
    audit.close();
    await sql.end({ timeout: 1 });
    await Promise.all([redis.stop(), database.drop()]);
  });

  describe.each(CONDITIONS.filter(isChosen))('$name, evidence $evidence', { timeout: 600_000 }, (condition) => {
    test('probes say what calls do', async () => {
      const url = `http://127.0.0.1:${await listen(audit)}`;
      const env = { ...(EVIDENCE[condition.evidence] ? evidenceEnv(url) : {}), ...condition.env?.() };
      const rootKey = Buffer.alloc(32, 7).toString('base64');
      const service = await startKms({
        databaseUrl: database.url,
        env: { ...env, KMS_ROOT_KEY: rootKey, DATABASE_POOL_MAX: '4' },
      });
      kms = service;
      const key = await service.call({ method: 'POST', path: '/kms/v1/keys', body: {} });
      encryptPath = `/kms/v1/keys/${String(key.body['keyId'])}/encrypt`;
      expect((await encrypt()).status).toBe(200);
      await condition.strike();
      const probe = async (path: string) => send(`${service.baseUrl()}${path}`, 'GET', undefined);
      const seen = async () => ({
        use: (await encrypt()).status,
        change: (await service.call({ method: 'POST', path: '/kms/v1/keys', body: {} })).status,
        readyz: (await probe('/readyz')).status,
        livez: (await probe('/livez')).status,
        status: (await probe('/health')).body['status'],
      });
      const { use, change, readyz, status } = condition;
      await expect.poll(seen, { timeout: 20_000, interval: 200 }).toEqual({ use, change, readyz, livez: 200, status });
      const { checks } = (await probe('/health')).body as {
        checks: Record<string, { status: string; message?: string }>;
      };
      expect(checks[condition.check]).toMatchObject({ status });
      expect(checks[condition.check]?.message ?? '').toMatch(condition.message);

      const findings = await diagnose({ DATABASE_URL: database.url, KMS_ROOT_KEY: rootKey, ...env });
      const wrong = findings.filter((finding) => finding.status === 'wrong');
      expect(wrong.map((finding) => finding.check)).toEqual(
        condition.doctor === undefined ? [] : [condition.doctor.check],
      );
      if (condition.doctor !== undefined) expect(wrong[0]?.message).toMatch(condition.doctor.message);
    });
  });
}
