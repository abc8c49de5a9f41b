import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, existsSync, lstatSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request as requestInTheClear } from 'node:http';
import { Agent, request } from 'node:https';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect } from 'node:tls';
import {
  createDatabase,
  freePort,
  makeAuthority,
  type Service,
  serviceEntry,
  startService,
  tempDir,
  type TestCertificate,
  trustAuthority,
} from '@qnsp/test-harness';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';

const WORKERS = 2;
const PLAINTEXT = Buffer.from('data').toString('base64');
const directory = tempDir('qnsp-tls-service-');
const authority = makeAuthority(directory.path, 'authority');
trustAuthority(authority);
const place = { certificate: join(directory.path, 'kms.pem'), key: join(directory.path, 'kms.key') };
const socketFile = join(directory.path, 'kms.sock');
const environment = {
  KMS_ROOT_KEY: randomBytes(32).toString('base64'),
  KMS_TLS_CERT_FILE: place.certificate,
  KMS_TLS_KEY_FILE: place.key,
};

function put({ certificate, key }: TestCertificate): void {
  copyFileSync(certificate, place.certificate);
  copyFileSync(key, place.key);
}

let database: Awaited<ReturnType<typeof createDatabase>>;
let service: Service;
let token: string;
let keyId: string;

beforeAll(async () => {
  put(authority.issue('first'));
  database = await createDatabase();
  service = await startService({
    env: {
      ...environment,
      DATABASE_URL: database.url,
      KMS_BOOTSTRAP_TENANT: 'acme',
      KMS_DATA_DIR: directory.path,
      KMS_WORKERS: String(WORKERS),
      KMS_LISTEN_UNIX: socketFile,
      KMS_REQUIRE_TLS: 'true',
    },
  });
  const client = JSON.parse(readFileSync(join(directory.path, 'client.json'), 'utf8')) as Record<string, string>;
  expect(client['baseUrl']).toBe(service.baseUrl);
  token = String(client['apiToken']);
  keyId = String((await call('POST', '/kms/v1/keys', {})).body['keyId']);
  await vi.waitFor(() => expect(service.logs().match(/"msg":"listening"/g)).toHaveLength(WORKERS), { timeout: 20_000 });
}, 600_000);
afterAll(async () => {
  await service?.stop();
  await database?.drop();
  await directory.remove();
});

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Each call has a connection of its own, unless it is given an agent, and the workers take connections in turns. */
async function call(method: string, path: string, body?: object, by: Agent | string | false = false): Promise<Answer> {
  const options = { method, path, headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' } };
  const sent =
    typeof by === 'string'
      ? requestInTheClear({ ...options, agent: false, socketPath: by })
      : request({ ...options, agent: by, host: '127.0.0.1', port: service.port });
  sent.end(body === undefined ? undefined : JSON.stringify(body));
  // What the event carries.
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  return { status: answer.statusCode ?? 0, body: JSON.parse(await text(answer)) as Answer['body'] };
}
const encrypt = (by?: Agent | string) => call('POST', `/kms/v1/keys/${keyId}/encrypt`, { plaintext: PLAINTEXT }, by);

/** The names that several connections are shown, from as many workers as there are. */
async function shownNames(): Promise<ReadonlySet<unknown>> {
  const names = new Set<unknown>();
  for (let connection = 0; connection < 3 * WORKERS; connection += 1) {
    const socket = connect({ host: '127.0.0.1', port: service.port });
    await once(socket, 'secureConnect');
    names.add(socket.getPeerCertificate().subject.CN);
    socket.destroy();
  }
  return names;
}

const transport = async () => (await call('GET', '/health')).body['checks'] as { readonly transport: object };
const daysLeft = async () => {
  const answer = await fetch(`${service.baseUrl}/metrics`);
  return Number(/^kms_tls_certificate_days_left (\S+)$/m.exec(await answer.text())?.[1]);
};

describe('a service under TLS, with several workers and a socket file', () => {
  test('agrees with the client of this runtime by the hybrid group, and serves it', async () => {
    const socket = connect({ host: '127.0.0.1', port: service.port });
    await once(socket, 'secureConnect');
    expect(socket.getEphemeralKeyInfo()).toMatchObject({ name: 'X25519MLKEM768' });
    expect(socket.getProtocol()).toBe('TLSv1.3');
    socket.destroy();
    expect((await encrypt()).status).toBe(200);
    expect(await transport()).toMatchObject({ transport: { status: 'ok' } });
    expect(await daysLeft()).toBeGreaterThan(89);
  });

  test('agrees with openssl by what it knows, and not by anything else', () => {
    const by = (groups: string) =>
      spawnSync(
        'openssl',
        ['s_client', '-connect', `127.0.0.1:${service.port}`, '-groups', groups, '-CAfile', authority.certificate],
        { input: '', encoding: 'utf8' },
      );
    expect(by('X25519').stdout).toMatch(/Server Temp Key: X25519[\s\S]*Verify return code: 0/);
    expect(by('P-256').stdout).toMatch(/Server Temp Key: ECDH, prime256v1/);
    expect(by('P-384')).toMatchObject({ status: 1, stderr: expect.stringContaining('handshake failure') });
  });

  test('shows new files to new connections of every worker, and keeps the others', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    ends.push(() => agent.destroy());
    const ports = new Set<unknown>();
    agent.on('free', (socket: { readonly localPort?: number }) => ports.add(socket.localPort));
    let running = true;
    const statuses = new Set<number>();
    const load = (async () => {
      while (running) statuses.add((await encrypt(agent)).status);
    })();
    put(authority.issue('second', { validUntil: new Date(Date.now() + 5 * 24 * 60 * 60_000) }));
    await vi.waitFor(async () => expect(await shownNames()).toEqual(new Set(['second'])), { timeout: 10_000 });
    expect(await transport()).toMatchObject({
      transport: { status: 'degraded', message: expect.stringContaining('expires in 4 days') },
    });
    expect(Math.round(await daysLeft())).toBe(5);
    writeFileSync(place.key, 'half a key');
    await vi.waitFor(
      async () =>
        expect(await transport()).toMatchObject({
          transport: { message: expect.stringContaining('KMS_TLS_KEY_FILE') },
        }),
      { timeout: 10_000 },
    );
    expect(await shownNames()).toEqual(new Set(['second']));
    put(authority.issue('third'));
    // At once in each worker, instead of with its next look.
    service.child.kill('SIGHUP');
    await vi.waitFor(async () => expect(await shownNames()).toEqual(new Set(['third'])), { timeout: 10_000 });
    await vi.waitFor(async () => expect(await transport()).toMatchObject({ transport: { status: 'ok' } }), {
      timeout: 10_000,
    });
    running = false;
    await load;
    expect(statuses).toEqual(new Set([200]));
    expect(ports.size).toBe(1);
  }, 600_000);

  test('serves on its socket file, which only its owner and its group may use', async () => {
    expect(statSync(socketFile).mode & 0o777).toBe(0o660);
    for (let connection = 0; connection < 2 * WORKERS; connection += 1)
      expect((await encrypt(socketFile)).status).toBe(200);
  });

  test('leaves the socket file of another that runs alone', () => {
    const ran = runMain({ ...environment, PORT: '0', DATABASE_URL: database.url, KMS_LISTEN_UNIX: socketFile });
    expect(ran).toMatchObject({
      status: 78,
      stderr: expect.stringContaining(`KMS_LISTEN_UNIX: another process listens`),
    });
    expect(lstatSync(socketFile).isSocket()).toBe(true);
  });
});

function runMain(env: Readonly<Record<string, string>>) {
  return spawnSync(process.execPath, [serviceEntry()], {
    env: { PATH: process.env['PATH'], ...env },
    encoding: 'utf8',
    timeout: 30_000,
    cwd: directory.path,
  });
}

test('a pair that does not fit ends the start with 78 and its variable', () => {
  const other = authority.issue('other');
  const ran = runMain({ ...environment, PORT: '0', DATABASE_URL: database.url, KMS_TLS_KEY_FILE: other.key });
  expect(ran).toMatchObject({ status: 78, stderr: expect.stringContaining(`KMS_TLS_KEY_FILE: ${other.key} is not`) });
});

describe('a service of one process', () => {
  const own = join(directory.path, 'own.sock');
  const start = async (env: Readonly<Record<string, string>>) => {
    const { KMS_ROOT_KEY } = environment;
    const started = await startService({ env: { KMS_ROOT_KEY, DATABASE_URL: database.url, ...env }, ...readyOn(env) });
    ends.push(() => started.stop());
    return started;
  };
  const readyOn = ({ KMS_LISTEN_UNIX: path = '' }: Readonly<Record<string, string>>) =>
    path === ''
      ? {}
      : {
          isReady: () =>
            call('GET', '/readyz', undefined, path).then(
              ({ status }) => status === 200,
              () => false,
            ),
        };

  test('listens on nothing but its socket file where it has no port, and removes it', async () => {
    const started = await start({ PORT: 'none', KMS_LISTEN_UNIX: own });
    expect((await encrypt(own)).status).toBe(200);
    expect(started.logs()).toContain(`"baseUrl":"unix:${own}"`);
    await started.stop();
    expect(existsSync(own)).toBe(false);
  });

  test('takes the place of a socket file that a killed one left', async () => {
    const killed = await start({ PORT: 'none', KMS_LISTEN_UNIX: own });
    await killed.kill9();
    expect(lstatSync(own).isSocket()).toBe(true);
    await start({ PORT: 'none', KMS_LISTEN_UNIX: own });
    expect((await encrypt(own)).status).toBe(200);
  });

  test('does not remove what is no socket, nor a socket that somebody else answers on', async () => {
    const file = join(directory.path, 'a-file');
    writeFileSync(file, 'kept');
    const foreign = join(directory.path, 'foreign.sock');
    const server = createServer();
    server.listen(foreign);
    await once(server, 'listening');
    ends.push(() => server.close());
    for (const [path, reason] of [
      [file, 'is no socket'],
      [foreign, 'another process listens'],
      [join(directory.path, 'nowhere', 'kms.sock'), 'does not exist: create it'],
    ] as const) {
      const ran = await runAside({ ...environment, PORT: 'none', DATABASE_URL: database.url, KMS_LISTEN_UNIX: path });
      expect(ran).toMatchObject({ code: 78, err: expect.stringContaining(reason) });
    }
    expect(readFileSync(file, 'utf8')).toBe('kept');
    expect(existsSync(foreign)).toBe(true);
  }, 600_000);

  test('warns of plain HTTP beyond this machine at each start and in its health, and serves', async () => {
    const port = await freePort();
    const started = await start({ HOST: '0.0.0.0', PORT: String(port) });
    const body = (await (await fetch(`${started.baseUrl}/health`)).json()) as Record<string, unknown>;
    const message = expect.stringContaining('plain HTTP on 0.0.0.0');
    expect(body).toMatchObject({ status: 'ok', checks: { transport: { status: 'ok', message } } });
    expect(started.logs()).toMatch(/"level":"warn".*"msg":"plain HTTP on 0\.0\.0\.0/);
  });
});

/** As `runMain`, while this process answers. */
async function runAside(env: Readonly<Record<string, string>>) {
  const child = spawn(process.execPath, [serviceEntry()], {
    env: { PATH: process.env['PATH'], ...env },
    cwd: directory.path,
  });
  const err = text(child.stderr);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, err: await err };
}
