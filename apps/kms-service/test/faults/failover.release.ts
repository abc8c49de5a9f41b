import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Checkpoint, parseExportLine, runAuditVerify } from '@qnsp/kms-audit';
import {
  createDatabase,
  findPostgresBinaries,
  lostTime,
  type PostgresServer,
  type RedisServer,
  type Service,
  type StandbyServer,
  startPostgres,
  startRedis,
  startService,
  startStandby,
  startTcpProxy,
  type TcpProxy,
  tempDir,
} from '@qnsp/test-harness';
import postgres from 'postgres';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { evidenceEnv, PUBLIC_KEY_PEM, type Receiver, startReceiver } from '../evidence-sample.ts';
import { send } from '../local-service.ts';
import { withSealedService } from '../sealed-service.ts';

const SCRIPT = fileURLToPath(new URL('../../../../deploy/backup/tombstones.sh', import.meta.url));
const PLATFORM = `qnsp_pqc_${randomBytes(32).toString('base64url')}`;
const ROOT_KEY = randomBytes(32).toString('base64');
const DATA = Buffer.from('attack at dawn').toString('base64');

let primary: PostgresServer;
let standby: StandbyServer;
let replication: TcpProxy;
let address: TcpProxy;
const running: Service[] = [];

beforeEach(async () => {
  primary = await startPostgres();
  replication = await startTcpProxy(primary.port);
  standby = await startStandby(replication.port, 'second');
  address = await startTcpProxy(primary.port);
}, 600_000);
afterEach(async () => {
  await Promise.all(running.splice(0).map((service) => service.stop()));
  await Promise.all([address.stop(), replication.stop()]);
  await Promise.all([standby.stop(), primary.stop()]);
}, 600_000);

const at = (port: number, name: string) => `postgres://postgres@127.0.0.1:${port}/${name}`;

function environment(name: string, more: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    DATABASE_URL: at(address.port, name),
    DATABASE_TIMEOUT_MS: '2000',
    KMS_ROOT_KEY: ROOT_KEY,
    KMS_PLATFORM_TOKEN: PLATFORM,
    KMS_JOB_INTERVAL_MS: '1000',
    ...more,
  };
}

async function start(env: Readonly<Record<string, string>>): Promise<Service> {
  const service = await startService({ env });
  running.push(service);
  return service;
}

async function ask(port: number, name: string, query: string): Promise<readonly Record<string, unknown>[]> {
  const sql = postgres(at(port, name), { max: 1, onnotice: () => undefined });
  try {
    return await sql.unsafe(query);
  } finally {
    await sql.end();
  }
}

async function caughtUp(): Promise<void> {
  const [row] = await ask(primary.port, 'postgres', 'select pg_current_wal_lsn()::text as at');
  const query = `select from pg_last_wal_replay_lsn() as at where at >= '${String(row?.['at'])}'`;
  await expect.poll(() => ask(standby.port, 'postgres', query), { timeout: 20_000 }).toHaveLength(1);
}

async function failOver(): Promise<void> {
  await primary.kill9();
  await standby.promote();
  address.moveTo(standby.port);
}

/** A tenant with a key and a token that uses it. */
class Life {
  readonly tenantId: string;
  readonly token: { readonly id: string; readonly secret: string };
  readonly key: string;
  constructor(tenantId: string, token: Life['token'], key: string) {
    this.tenantId = tenantId;
    this.token = token;
    this.key = key;
  }
  static async begin(baseUrl: string): Promise<Life> {
    const tenantId = String((await asPlatform(baseUrl, '', 'POST', 'tenants', { name: 'acme' }))['tenantId']);
    const made = await asPlatform(baseUrl, tenantId, 'POST', 'tokens', { name: 'app', role: 'key_user' });
    const key = String((await asPlatform(baseUrl, tenantId, 'POST', 'keys', {}))['keyId']);
    return new Life(tenantId, { id: String(made['tokenId']), secret: String(made['token']) }, key);
  }
  encrypt(baseUrl: string) {
    return send(`${baseUrl}/kms/v1/keys/${this.key}/encrypt`, 'POST', this.token.secret, { plaintext: DATA });
  }
  async state(baseUrl: string): Promise<unknown> {
    return (await asPlatform(baseUrl, this.tenantId, 'GET', `keys/${this.key}`))['state'];
  }
  async revokeKey(baseUrl: string): Promise<void> {
    await asPlatform(baseUrl, this.tenantId, 'POST', `keys/${this.key}/revoke`, { reason: 'suspected_compromise' });
  }
  async revokeToken(baseUrl: string): Promise<void> {
    await asPlatform(baseUrl, this.tenantId, 'DELETE', `tokens/${this.token.id}`);
  }
}

async function asPlatform(baseUrl: string, tenantId: string, method: string, path: string, body?: object) {
  const headers = tenantId === '' ? {} : { 'x-qnsp-tenant': tenantId };
  const answer = await send(`${baseUrl}/kms/v1/${path}`, method, PLATFORM, body, headers);
  expect(answer.status, `${method} ${path} ${JSON.stringify(answer.body)}`).toBeLessThan(300);
  return answer.body;
}

const health = (baseUrl: string) => send(`${baseUrl}/health`, 'GET', undefined);
const sealed = {
  status: 503,
  body: {
    status: 'critical',
    checks: {
      restoredCopy: { status: 'critical', message: expect.stringContaining('lacks changes that were acknowledged') },
    },
  },
};

function tombstones(action: 'export' | 'load', url: string, file: string) {
  const env = { PATH: `${findPostgresBinaries()}:${process.env['PATH']}` };
  return spawnSync(SCRIPT, [action, url, file], { encoding: 'utf8', env });
}

/** The events that the receiver has of a tenant, and the last checkpoint. */
function received(receiver: Receiver, tenantId: string) {
  const parsed = receiver.lines(tenantId).map((line) => parseExportLine(line));
  const events = parsed.flatMap((line) => (line?.kind === 'event' ? [line.entry.event] : []));
  const checkpoints = parsed.flatMap((line): Checkpoint[] => (line?.kind === 'checkpoint' ? [line.checkpoint] : []));
  return { events, latest: checkpoints.at(-1) };
}

/** Waits until everything is sealed and delivered, or refused. */
async function allDelivered(port: number, name: string): Promise<void> {
  const query = `select (select count(*) from kms.evidence_outbox)
    + (select coalesce(sum(sequence - delivered), 0) from kms.evidence_chains) as waiting`;
  await expect.poll(() => ask(port, name, query), { timeout: 30_000 }).toEqual([{ waiting: '0' }]);
}

describe('the database fails over', { timeout: 600_000 }, () => {
  test('to a standby that has everything: the nodes go on without anybody’s help', async () => {
    const { name } = await createDatabase(primary.url);
    const nodes = await Promise.all([start(environment(name)), start(environment(name))]);
    const [{ baseUrl: one }, { baseUrl: other }] = nodes;
    const life = await Life.begin(one);
    expect((await life.encrypt(other)).status).toBe(200);
    await caughtUp();
    await failOver();
    for (const baseUrl of [one, other]) {
      await expect.poll(async () => (await life.encrypt(baseUrl)).status, { timeout: 20_000 }).toBe(200);
      await expect.poll(async () => (await health(baseUrl)).body['status'], { timeout: 20_000 }).toBe('ok');
    }
    await life.revokeKey(other);
    const [revokedAt, lost] = [performance.now(), lostTime(...nodes.map(({ child }) => child.pid))];
    await expect.poll(async () => (await life.encrypt(one)).body['code']).toBe('KEY_STATE_INVALID');
    expect(performance.now() - revokedAt).toBeLessThan(5000 + lost());
    for (const service of nodes) expect(service.logs()).not.toContain('lacks changes');
  });

  test('to one that lagged: nothing is served by any node until the copy is settled, and what was revoked stays so', async () => {
    const { name } = await createDatabase(primary.url);
    const state = tempDir('qnsp-state-');
    const directory = tempDir('qnsp-tombstones-');
    const file = join(directory.path, 'tombstones.csv');
    const env = [environment(name, { KMS_STATE_DIR: state.path }), environment(name)] as const;
    const nodes = await Promise.all([start(env[0]), start(env[1])]);
    const [{ baseUrl: one }, { baseUrl: other }] = nodes;
    const [byKey, byToken] = [await Life.begin(one), await Life.begin(one)];
    for (const life of [byKey, byToken]) expect((await life.encrypt(other)).status).toBe(200);
    await caughtUp();
    replication.stall();
    await byKey.revokeKey(one);
    await byToken.revokeToken(one);
    expect(tombstones('export', at(primary.port, name), file)).toMatchObject({ status: 0, stderr: '' });
    /** When something was served. */
    const served: number[] = [];
    let asking = true;
    const use = Promise.all(
      [one, other].flatMap((baseUrl) =>
        [byKey, byToken].map(async (life) => {
          while (asking) if ((await life.encrypt(baseUrl)).status === 200) served.push(performance.now());
        }),
      ),
    );
    // From when a revocation counts everywhere.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const revokedAt = performance.now();
    await failOver();
    const movedAt = performance.now();
    for (const baseUrl of [one, other])
      await expect.poll(() => health(baseUrl), { timeout: 20_000 }).toMatchObject(sealed);
    asking = false;
    await use;
    // The node that lost nothing itself is told by the other one.
    expect(served.filter((when) => when > revokedAt && (when < movedAt || when > movedAt + 1000))).toEqual([]);
    for (const baseUrl of [one, other]) {
      expect(await send(`${baseUrl}/readyz`, 'GET', undefined)).toMatchObject({ status: 503 });
      expect((await byKey.encrypt(baseUrl)).body).toMatchObject({ code: 'SEALED' });
    }
    // A list from the copy knows nothing of what is missing.
    expect(tombstones('export', at(standby.port, name), file)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('older copy'),
    });
    await Promise.all(running.splice(0).map((service) => service.stop()));

    // A start without a memory, and one with it, find it out, too.
    for (const each of env)
      await withSealedService(each, directory.path, async (baseUrl) => {
        expect(await health(baseUrl)).toMatchObject(sealed);
        expect((await byToken.encrypt(baseUrl)).body).toMatchObject({ code: 'SEALED' });
      });
    expect(tombstones('load', at(standby.port, name), file)).toMatchObject({ status: 0, stderr: '' });
    for (const each of env) {
      const { baseUrl } = await start(each);
      expect(await health(baseUrl)).toMatchObject({
        body: { status: 'ok', checks: { restoredCopy: { message: expect.stringContaining('What had ended until') } } },
      });
      expect(await byKey.state(baseUrl)).toBe('revoked');
      expect((await byKey.encrypt(baseUrl)).body).toMatchObject({ code: 'KEY_STATE_INVALID' });
      expect((await byToken.encrypt(baseUrl)).status).toBe(401);
    }
    await Promise.all(running.splice(0).map((service) => service.stop()));
    await Promise.all([state.remove(), directory.remove()]);
  });

  test('to one that lagged, and evidence goes on in an epoch of its own: the receiver takes it, and all of it verifies', async () => {
    const receiver = await startReceiver();
    const directory = tempDir('qnsp-failover-evidence-');
    const { name } = await createDatabase(primary.url);
    const env = environment(name, evidenceEnv(receiver.url));
    const late = await startTcpProxy(primary.port);
    const lateEnv = { ...env, DATABASE_URL: at(late.port, name) };
    const [{ baseUrl: one }, { baseUrl: other }] = await Promise.all([start(lateEnv), start(env)]);
    const life = await Life.begin(one);
    const use = async (baseUrl: string) => {
      for (let times = 0; times < 3; times += 1) expect((await life.encrypt(baseUrl)).status).toBe(200);
    };
    await use(one);
    await allDelivered(primary.port, name);
    // What waits when the standby begins to lag is sealed on the primary alone.
    const holder = postgres(at(primary.port, name), { max: 1, onnotice: () => undefined });
    await holder.begin(async (held) => {
      await held`select from kms.evidence_chains where tenant_id = ${life.tenantId} for update`;
      await use(one);
      await caughtUp();
      replication.stall();
      // The other node has a part in nothing that the standby lacks, and is back before the one that has.
      address.stall();
    });
    await holder.end();
    await use(one);
    await allDelivered(primary.port, name);
    const before = received(receiver, life.tenantId);
    await primary.kill9();
    await standby.promote();
    address.resume();
    address.moveTo(standby.port);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    late.moveTo(standby.port);
    for (const baseUrl of [one, other])
      await expect.poll(() => health(baseUrl), { timeout: 20_000 }).toMatchObject(sealed);
    const offered = async () => /KMS_ACCEPT_RESTORED_COPY=(\S+):/.exec(JSON.stringify(await health(one)))?.[1] ?? '';
    await expect.poll(offered, { timeout: 10_000 }).not.toBe('');
    const asOf = await offered();
    const waiting = await ask(
      standby.port,
      name,
      `select event_id from kms.evidence_outbox where tenant_id = '${life.tenantId}'`,
    );
    const idsBefore = before.events.map(({ eventId }) => eventId);
    expect(waiting.length).toBeGreaterThan(0);
    expect(idsBefore).toEqual(expect.arrayContaining(waiting.map((row) => row['event_id'])));
    await Promise.all(running.splice(0).map((service) => service.stop()));

    const { baseUrl } = await start({ ...env, KMS_ACCEPT_RESTORED_COPY: asOf });
    await use(baseUrl);
    await allDelivered(standby.port, name);
    expect(
      await ask(standby.port, name, 'select refusal from kms.evidence_checkpoints where refusal is not null'),
    ).toEqual([]);
    const { events, latest } = received(receiver, life.tenantId);
    expect(latest?.epoch).toMatchObject({ dataAsOf: asOf });
    const ids = events.map(({ eventId }) => eventId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.slice(0, idsBefore.length)).toEqual(idsBefore);
    const repeated = events.flatMap(({ repeats }) => (repeats === undefined ? [] : [repeats]));
    expect(repeated.toSorted()).toEqual(waiting.map((row) => String(row['event_id'])).toSorted());
    const file = (of: string, text: string) => {
      const path = join(directory.path, of);
      writeFileSync(path, text);
      return path;
    };
    const said: string[] = [];
    const verified = await runAuditVerify(
      {
        exportFile: file(
          'evidence.jsonl',
          receiver
            .lines(life.tenantId)
            .map((line) => `${line}\n`)
            .join(''),
        ),
        publicKeyFiles: [file('key.pem', PUBLIC_KEY_PEM)],
        tenantId: life.tenantId,
        checkpointFile: file('latest.json', JSON.stringify(latest)),
      },
      (line) => said.push(line),
    );
    expect([verified, said.join('\n')]).toEqual([true, expect.stringContaining('the database was restored')]);
    await Promise.all(running.splice(0).map((service) => service.stop()));
    await Promise.all([receiver.close(), late.stop(), directory.remove()]);
  });

  test('while no node runs: the next start is told by what is remembered in Redis, or in a directory', async () => {
    const redis: RedisServer = await startRedis();
    const state = tempDir('qnsp-state-');
    const kinds = [{ KMS_CACHE_REDIS_URL: `redis://127.0.0.1:${redis.port}` }, { KMS_STATE_DIR: state.path }];
    const cases = await Promise.all(
      kinds.map(async (kind) => {
        const env = environment((await createDatabase(primary.url)).name, kind);
        const service = await start(env);
        return { env, service, life: await Life.begin(service.baseUrl) };
      }),
    );
    await caughtUp();
    replication.stall();
    for (const { service, life } of cases) await life.revokeKey(service.baseUrl);
    // What was learnt is written together a few times a second.
    await new Promise((resolve) => setTimeout(resolve, 500));
    await Promise.all(running.splice(0).map((service) => service.kill9()));
    await failOver();
    for (const { env, life } of cases)
      await withSealedService(env, state.path, async (baseUrl) => {
        expect(await health(baseUrl)).toMatchObject(sealed);
        expect((await life.encrypt(baseUrl)).body).toMatchObject({ code: 'SEALED' });
      });
    await redis.stop();
    await state.remove();
  });
});
