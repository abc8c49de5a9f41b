import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { createDatabase, lostTime, type Service, serviceEntry, startService, tempDir } from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const WORKERS = 3;
const PLAINTEXT = Buffer.from('data').toString('base64');

let database: Awaited<ReturnType<typeof createDatabase>>;
let service: Service;
let token: string;
let key: string;
const directory = tempDir('qnsp-workers-');

beforeAll(async () => {
  database = await createDatabase();
  service = await startService({
    env: {
      DATABASE_URL: database.url,
      KMS_ROOT_KEY: randomBytes(32).toString('base64'),
      KMS_BOOTSTRAP_TENANT: 'acme',
      KMS_DATA_DIR: directory.path,
      KMS_WORKERS: String(WORKERS),
    },
  });
  token = (JSON.parse(readFileSync(`${directory.path}/client.json`, 'utf8')) as { apiToken: string }).apiToken;
  const { status, body } = await call('POST', '/kms/v1/keys');
  expect(status).toBe(201);
  key = `/kms/v1/keys/${String(body['keyId'])}`;
}, 600_000);
afterAll(async () => {
  await service?.stop();
  await database?.drop();
  await directory.remove();
});

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Each call has a connection of its own, and the workers take connections in turns. */
async function call(method: string, path: string, body: object = {}): Promise<Answer> {
  const sent = request(`${service.baseUrl}${path}`, {
    method,
    agent: false,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
  });
  sent.end(JSON.stringify(body));
  // What the event carries.
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  return { status: answer.statusCode ?? 0, body: JSON.parse(await text(answer)) as Answer['body'] };
}

/** How many workers have begun to serve since the start. */
const served = () => service.logs().match(/"msg":"listening"/g)?.length ?? 0;

/** The process ids of the workers. */
function workers(): number[] {
  const { pid = 0 } = service.child;
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return children === '' ? [] : children.split(' ').map(Number);
}

async function metric(name: RegExp): Promise<number> {
  const response = await fetch(`${service.baseUrl}/metrics`, { headers: { connection: 'close' } });
  return Number(name.exec(await response.text())?.[1]);
}

const ENCRYPTIONS = /^kms_operations_total\{wire="qnsp",operation="encrypt",status="200"\} (\d+)$/m;
const TIMED = /^kms_operation_seconds_bucket\{wire="qnsp",operation="encrypt",le="\+Inf"\} (\d+)$/m;

describe('a service of several workers', { timeout: 600_000 }, () => {
  test('has as many as it was told', async () => {
    await expect.poll(served, { timeout: 90_000 }).toBe(WORKERS);
    expect(workers()).toHaveLength(WORKERS);
    expect(service.logs().match(/QNSP KMS listens on/g)).toHaveLength(1);
  });

  test('gives them what Node.js was given', () => {
    for (const pid of workers())
      expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')).toContain('--max-semi-space-size=16');
  });

  test('adds up the metrics of all of them, whichever is asked', async () => {
    for (let index = 0; index < 4 * WORKERS; index += 1)
      expect((await call('POST', `${key}/encrypt`, { plaintext: PLAINTEXT })).status).toBe(200);
    for (let index = 0; index < WORKERS; index += 1) {
      expect(await metric(ENCRYPTIONS)).toBe(4 * WORKERS);
      expect(await metric(TIMED)).toBe(4 * WORKERS);
    }
    // They did share the work: each has read the key for itself.
    expect(await metric(/^kms_cache_keys (\d+)$/m)).toBe(WORKERS);
  });

  test('goes on while a worker is killed, and gets another in its place', async () => {
    const before = workers();
    const [first] = before;
    if (first === undefined) throw new Error('there are workers');
    process.kill(first, 'SIGKILL');
    await expect.poll(workers, { timeout: 90_000 }).not.toContain(first);
    expect((await call('POST', `${key}/encrypt`, { plaintext: PLAINTEXT })).status).toBe(200);
    await expect.poll(served, { timeout: 90_000 }).toBe(WORKERS + 1);
    expect(workers().filter((pid) => !before.includes(pid))).toHaveLength(1);
    // What the one that was killed had counted is not lost.
    expect(await metric(ENCRYPTIONS)).toBeGreaterThan(4 * WORKERS);
    expect(service.logs()).toContain('a worker ended; another takes its place');
  });

  test('refuses on all of them what was revoked on one', async () => {
    const statuses = async () => {
      const answers = await Promise.all(
        Array.from({ length: 2 * WORKERS }, () => call('POST', `${key}/encrypt`, { plaintext: PLAINTEXT })),
      );
      return new Set(answers.map(({ status }) => status));
    };
    expect(await statuses()).toEqual(new Set([200]));
    expect((await call('POST', `${key}/suspend`)).status).toBe(200);
    const [lost, suspendedAt] = [lostTime(service.child.pid, ...workers()), performance.now()];
    await expect.poll(statuses).toEqual(new Set([409]));
    expect(performance.now() - suspendedAt).toBeLessThan(2000 + lost());
  });

  test('ends with all of its workers on SIGTERM', async () => {
    const before = workers();
    const { promise: ended, resolve } = Promise.withResolvers<number | null>();
    service.child.once('exit', resolve);
    service.child.kill('SIGTERM');
    expect(await ended).toBe(0);
    for (const pid of before) expect(() => process.kill(pid, 0)).toThrow(expect.objectContaining({ code: 'ESRCH' }));
  });
});

test('a setting that only a worker finds wrong ends the service with 78', () => {
  const started = spawnSync(process.execPath, [serviceEntry()], {
    env: {
      PATH: process.env['PATH'],
      // The root of another database.
      DATABASE_URL: database.url,
      KMS_ROOT_KEY: randomBytes(32).toString('base64'),
      PORT: '0',
      KMS_WORKERS: '2',
    },
    encoding: 'utf8',
    timeout: 300_000,
  });
  expect(started.stderr).toContain('KMS_ROOT_KEY');
  expect(started.status).toBe(78);
});

test('an embedded database, which serves one process, is refused', () => {
  const started = spawnSync(process.execPath, [serviceEntry()], {
    env: {
      PATH: process.env['PATH'],
      DATABASE_URL: 'pglite:memory://',
      KMS_ROOT_KEY: randomBytes(32).toString('base64'),
      KMS_WORKERS: 'auto',
    },
    encoding: 'utf8',
    timeout: 300_000,
  });
  expect(started.stderr).toContain('KMS_WORKERS');
  expect(started.status).toBe(78);
});
