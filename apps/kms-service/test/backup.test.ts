import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  createDatabase,
  findPostgresBinaries,
  type PostgresServer,
  type Service,
  startPostgres,
  startService,
  tempDir,
  type TestDatabase,
} from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { evidenceEnv, listen } from './evidence-sample.ts';
import { type Answer, send } from './local-service.ts';
import { withSealedService } from './sealed-service.ts';

const SCRIPTS = fileURLToPath(new URL('../../../deploy/backup', import.meta.url));
const BINARIES = findPostgresBinaries() ?? '';
const PLATFORM = `qnsp_pqc_${randomBytes(32).toString('base64url')}`;
const ROOT_KEY = randomBytes(32).toString('base64');
const DATA = Buffer.from('attack at dawn').toString('base64');
/** Who owns the database on the other server, and may do nothing else there. */
const OWNER = 'kms_owner';

/** An audit service that takes nothing and counts what it is asked to take. */
const audit = {
  url: '',
  asked: 0,
  server: createServer((_request, response) => {
    audit.asked += 1;
    response.writeHead(503).end();
  }),
};

const directory = tempDir('qnsp-backup-');
const dump = join(directory.path, 'kms.dump');
const tombstones = join(directory.path, 'tombstones.csv');

function script(name: string, ...args: readonly string[]) {
  return spawnSync(join(SCRIPTS, name), args, {
    encoding: 'utf8',
    env: { PATH: `${BINARIES}:${process.env['PATH']}` },
  });
}

function succeed(name: string, ...args: readonly string[]): string {
  const { status, stdout, stderr } = script(name, ...args);
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout;
}

function sql(url: string, statement: string): void {
  const command = ['--quiet', '--set=ON_ERROR_STOP=1', `--dbname=${url}`, `--command=${statement}`];
  const { status, stderr } = spawnSync(join(BINARIES, 'psql'), command, { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
}

/** The one value that a query answers, as text. */
function ask(url: string, query: string): string {
  const command = ['--quiet', '--no-align', '--tuples-only', `--dbname=${url}`, `--command=${query}`];
  return spawnSync(join(BINARIES, 'psql'), command, { encoding: 'utf8' }).stdout.trim();
}

function as(user: string, url: string): string {
  const other = new URL(url);
  other.username = user;
  return other.href;
}

const environment = (url: string) => ({
  DATABASE_URL: url,
  KMS_ROOT_KEY: ROOT_KEY,
  KMS_PLATFORM_TOKEN: PLATFORM,
  KMS_JOB_INTERVAL_MS: '200',
  ...evidenceEnv(audit.url),
});

/** Leaves an event that no chain has, beside those that the tenant has. */
function leaveEvidence(url: string, tenantId: string): void {
  sql(
    url,
    `insert into kms.evidence_outbox (tenant_id, event_id, event)
      select tenant_id, id, jsonb_set(event::jsonb, '{eventId}', to_jsonb(id::text))::text
      from (select *, gen_random_uuid() as id from kms.evidence_events where tenant_id = '${tenantId}' limit 1) e`,
  );
}

const unsealed = (url: string) => ask(url, 'select count(*) from kms.evidence_outbox');

class Client {
  readonly baseUrl: string;
  constructor(baseUrl: string) {
    this.baseUrl = baseUrl;
  }
  call(tenantId: string, method: string, path: string, body?: unknown, token = PLATFORM): Promise<Answer> {
    const headers = tenantId === '' ? {} : { 'x-qnsp-tenant': tenantId };
    return send(`${this.baseUrl}/kms/v1/${path}`, method, token, body, headers);
  }
  async done(tenantId: string, method: string, path: string, body?: unknown): Promise<Answer['body']> {
    const answer = await this.call(tenantId, method, path, body);
    expect(answer.status, `${method} ${path} ${JSON.stringify(answer.body)}`).toBeLessThan(300);
    return answer.body;
  }
  async create(tenantId: string): Promise<string> {
    return String((await this.done(tenantId, 'POST', 'keys', {}))['keyId']);
  }
  async state(tenantId: string, keyId: string): Promise<unknown> {
    return (await this.done(tenantId, 'GET', `keys/${keyId}`))['state'];
  }
}

describe('a backup', { timeout: 600_000 }, () => {
  let source: TestDatabase;
  let fresh: PostgresServer;
  let original: Service;
  let before: Client;
  let tenantId: string;
  let otherTenantId: string;
  let otherKey: string;
  let token: { readonly tokenId: string; readonly token: string };
  let kept: string;
  let ciphertext: string;
  let laterCiphertext: string;
  let later: string;
  let takenBack: string;
  const ends = { suspended: '', revoked: '', deactivated: '', destroyed: '' };

  /** An empty database on the other server, for its owner. */
  async function emptyDatabase(): Promise<TestDatabase> {
    const database = await createDatabase(fresh.url);
    sql(fresh.url, `alter database ${database.name} owner to ${OWNER}`);
    return database;
  }

  beforeAll(async () => {
    [source, fresh] = await Promise.all([createDatabase(), startPostgres()]);
    sql(fresh.url, `create role ${OWNER} login`);
    audit.url = `http://localhost:${await listen(audit.server)}`;
    original = await startService({ env: environment(source.url) });
    before = new Client(original.baseUrl);
    const tenant = async (name: string) => String((await before.done('', 'POST', 'tenants', { name }))['tenantId']);
    [tenantId, otherTenantId] = [await tenant('acme'), await tenant('short-lived')];
    const made = await before.done(tenantId, 'POST', 'tokens', { name: 'lost later', role: 'key_user' });
    token = { tokenId: String(made['tokenId']), token: String(made['token']) };
    kept = await before.create(tenantId);
    ciphertext = String(
      (await before.done(tenantId, 'POST', `keys/${kept}/encrypt`, { plaintext: DATA }))['ciphertext'],
    );
    for (const state of ['suspended', 'revoked', 'deactivated', 'destroyed'] as const)
      ends[state] = await before.create(tenantId);
    takenBack = await before.create(tenantId);
    await before.done(tenantId, 'POST', `keys/${takenBack}/destroy`, {});
    otherKey = await before.create(otherTenantId);
  });
  afterAll(async () => {
    await original.stop();
    await source.drop();
    await fresh.stop();
    audit.server.close();
    await directory.remove();
  });

  test('is refused to a user from whom row-level security hides rows, with what to do', () => {
    const name = `blind_${source.name}`;
    sql(source.url, `create role ${name} login; grant pg_read_all_data to ${name}`);
    const { status, stderr } = script('backup.sh', as(name, source.url), dump);
    sql(source.url, `drop role ${name}`);
    expect(status).toBe(1);
    expect(stderr).toContain('CREATE ROLE kms_backup LOGIN BYPASSRLS; GRANT pg_read_all_data TO kms_backup;');
    expect(existsSync(dump)).toBe(false);
  });

  test('is one file that only its maker reads, made by a user who may do nothing else', () => {
    const name = `backup_${source.name}`;
    sql(source.url, `create role ${name} login bypassrls; grant pg_read_all_data to ${name}`);
    succeed('backup.sh', as(name, source.url), dump);
    sql(source.url, `drop role ${name}`);
    expect(statSync(dump).mode & 0o777).toBe(0o600);
    expect(existsSync(`${dump}.part`)).toBe(false);
  });

  test('is followed by a life of its own, of which tombstones tell', async () => {
    const { suspended, revoked, deactivated, destroyed } = ends;
    await before.done(tenantId, 'POST', `keys/${suspended}/suspend`, {});
    await before.done(tenantId, 'POST', `keys/${revoked}/revoke`, { reason: 'suspected_compromise' });
    await before.done(tenantId, 'POST', `keys/${deactivated}/destroy`, {});
    await before.done(tenantId, 'POST', `keys/${destroyed}/shred`, { confirmation: `SHRED-${destroyed}` });
    await before.done(tenantId, 'POST', `keys/${takenBack}/restore`, {});
    await before.done(tenantId, 'DELETE', `tokens/${token.tokenId}`);
    const shred = { confirmation: `SHRED-${otherTenantId}`, reason: 'test' };
    await before.done(otherTenantId, 'POST', `tenants/${otherTenantId}/crypto-shred`, shred);
    await before.done(tenantId, 'POST', `keys/${kept}/rotate`, {});
    const sealed = await before.done(tenantId, 'POST', `keys/${kept}/encrypt`, { plaintext: DATA });
    laterCiphertext = String(sealed['ciphertext']);
    later = await before.create(tenantId);
    const name = `watcher_${source.name}`;
    sql(source.url, `create role ${name} login; grant kms_app to ${name}`);
    succeed('tombstones.sh', 'export', as(name, source.url), tombstones);
    sql(source.url, `drop role ${name}`);
    await original.stop();
    const lines = readFileSync(tombstones, 'utf8').trim().split('\n');
    for (const state of ['suspended', 'revoked', 'destroyed'] as const)
      expect(lines.filter((line) => line.startsWith(`key,${tenantId},${ends[state]},${state},`))).toHaveLength(1);
    expect(lines.filter((line) => line.startsWith(`key,${tenantId},${deactivated},scheduled,`))).toHaveLength(1);
  });

  test('that is restored serves nothing by itself: it says how old it is, and then what had ended', async () => {
    const target = await emptyDatabase();
    // A superuser of a server that has never seen the service.
    const said = succeed('restore.sh', '--owner', OWNER, dump, target.url);
    const asOf = /data of (\S+)\./.exec(said)?.[1] ?? '';
    expect(new Date(asOf).toISOString()).toBe(asOf);
    const env = environment(as(OWNER, target.url));

    const stale = join(directory.path, 'stale.csv');
    writeFileSync(stale, 'kind,tenant_id,id,state,reason,at\nexport,,,,,2020-01-01 00:00:00+00\n');
    succeed('tombstones.sh', 'load', as(OWNER, target.url), stale);
    const otherTime = { KMS_ACCEPT_RESTORED_COPY: '2020-01-01T00:00:00.000Z' };
    leaveEvidence(target.url, tenantId);
    const [waiting, asked] = [unsealed(target.url), audit.asked];
    await withSealedService({ ...env, ...otherTime }, directory.path, async (baseUrl) => {
      const client = new Client(baseUrl);
      const health = await send(`${client.baseUrl}/readyz`, 'GET', undefined);
      const message = expect.stringMatching(
        new RegExp(`from data of ${asOf}, then \\d+\\.\\d hours old\\. .*COPY=${asOf}`),
      );
      expect(health).toMatchObject({
        status: 503,
        body: { status: 'critical', checks: { restoredCopy: { status: 'critical', message } } },
      });
      const sealed = { status: 503, body: { code: 'SEALED', message } };
      expect(await client.call(tenantId, 'GET', `keys/${ends.destroyed}`)).toMatchObject(sealed);
      const refused = await client.call(tenantId, 'POST', 'decrypt', { ciphertext });
      expect(refused).toMatchObject(sealed);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      // As long as several turns of the work on evidence take: whoever settles the copy may go on with another one.
      await sleep(1000);
      expect([unsealed(target.url), audit.asked]).toEqual([waiting, asked]);
    });

    succeed('tombstones.sh', 'load', as(OWNER, target.url), tombstones);
    const service = await startService({ env });
    try {
      const client = new Client(service.baseUrl);
      for (const [state, keyId] of Object.entries(ends)) expect(await client.state(tenantId, keyId)).toBe(state);
      expect(await client.state(tenantId, takenBack)).toBe('active');
      const use = await client.call(tenantId, 'POST', `keys/${ends.destroyed}/encrypt`, { plaintext: DATA });
      expect(use).toMatchObject({ status: 409, body: { code: 'KEY_STATE_INVALID' } });
      expect((await client.call('', 'GET', 'keys', undefined, token.token)).status).toBe(401);
      expect((await client.call(otherTenantId, 'GET', `keys/${otherKey}`)).status).toBe(404);
      expect((await client.call(tenantId, 'GET', `keys/${later}`)).status).toBe(404);
      expect(await client.done(tenantId, 'POST', 'decrypt', { ciphertext })).toMatchObject({ plaintext: DATA });
      const lost = await client.call(tenantId, 'POST', 'decrypt', { ciphertext: laterCiphertext });
      expect(lost.status).toBeGreaterThanOrEqual(400);
      expect((await send(`${service.baseUrl}/health`, 'GET', undefined)).body).toMatchObject({
        checks: {
          store: { status: 'ok' },
          restoredCopy: { status: 'ok', message: expect.stringContaining('What had ended until ') },
        },
      });
      expect(service.logs()).toContain(`from data of ${asOf}`);
      await vi.waitFor(() => expect(unsealed(target.url)).toBe('0'), { timeout: 20_000, interval: 100 });
      await vi.waitFor(() => expect(audit.asked).toBeGreaterThan(asked), { timeout: 20_000, interval: 100 });
    } finally {
      await service.stop();
    }
  });

  test('can be accepted without tombstones, by the exact time of its data, and says so from then on', async () => {
    const target = await emptyDatabase();
    const url = as(OWNER, target.url);
    // The owner of the database alone, now that the role is there.
    const said = succeed('restore.sh', dump, url);
    const asOf = /data of (\S+)\./.exec(said)?.[1] ?? '';
    const accepted = await startService({ env: { ...environment(url), KMS_ACCEPT_RESTORED_COPY: asOf } });
    await accepted.stop();
    const service = await startService({ env: environment(url) });
    try {
      const client = new Client(service.baseUrl);
      // What the operator answers for: this copy does not know of the destruction.
      expect(await client.state(tenantId, ends.destroyed)).toBe('active');
      expect((await send(`${service.baseUrl}/health`, 'GET', undefined)).body).toMatchObject({
        checks: {
          store: { status: 'ok' },
          restoredCopy: { status: 'ok', message: expect.stringContaining('accepted without tombstones') },
        },
      });
      // As if a dump had been restored under the running service.
      sql(target.url, `update kms.database_copies set place = 'another server' where settled_at is not null`);
      await vi.waitFor(
        async () => expect((await client.call(tenantId, 'GET', 'keys')).body).toMatchObject({ code: 'SEALED' }),
        { timeout: 10_000, interval: 100 },
      );
      await vi.waitFor(() => expect(service.logs()).toContain('evidence is no longer sealed or delivered'), 10_000);
      leaveEvidence(target.url, tenantId);
      const waiting = unsealed(target.url);
      await sleep(1000);
      expect(unsealed(target.url)).toBe(waiting);
    } finally {
      await service.stop();
    }
  });

  test('goes into an empty database only, and what is no file of tombstones is refused', async () => {
    const notEmpty = script('restore.sh', dump, source.url);
    expect(notEmpty).toMatchObject({ status: 1, stderr: expect.stringContaining('the database is not empty') });
    expect(script('tombstones.sh', 'load', source.url, dump)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('does not hold tombstones'),
    });
    for (const name of ['backup.sh', 'restore.sh', 'tombstones.sh'])
      expect(script(name)).toMatchObject({ status: 2, stderr: expect.stringContaining('usage:') });
  });
});
