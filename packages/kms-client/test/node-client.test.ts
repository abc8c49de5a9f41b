import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer as createPlainServer, type RequestListener } from 'node:http';
import { createServer, type ServerOptions } from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { freePort, makeAuthority, tempDir, type TestCertificate } from '@qnsp/test-harness';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { createKmsClient, KmsClientError } from '../src/index.ts';
import { createNodeKmsClient, type NodeKmsClientOptions } from '../src/node/index.ts';

const directory = tempDir('qnsp-node-client-');
afterAll(() => directory.remove());
const authority = makeAuthority(directory.path, 'authority');
const foreign = makeAuthority(directory.path, 'foreign');
const pem = (path: string) => readFileSync(path, 'utf8');
const pair = ({ certificate, key }: TestCertificate) => ({ cert: pem(certificate), key: pem(key) });
const served = authority.issue('good');
const good = pair(served);
const own = authority.issue('own', { names: '', extensions: ['extendedKeyUsage=clientAuth'] });
const ca = pem(authority.certificate);

const HEALTH = { status: 'ok', service: 'kms-service', version: '1', timestamp: '2026-01-01T00:00:00.000Z', uptime: 1 };
const answer: RequestListener = (request, response) => {
  const { authorized, servername } = request.socket as TLSSocket;
  const checks = { [String(authorized)]: { status: 'ok' }, [String(servername)]: { status: 'ok' } };
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ ...HEALTH, checks }));
};

const servers: Server[] = [];
const sockets = new Set<Socket>();
const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
  for (const server of servers.splice(0)) server.close();
  for (const socket of sockets) socket.destroy();
});

async function listen(server: Server, at: number | string = 0): Promise<number> {
  server.on('connection', (socket: Socket) => sockets.add(socket));
  server.listen(typeof at === 'number' ? { port: at, host: '127.0.0.1' } : { path: at });
  await once(server, 'listening');
  servers.push(server);
  const address = server.address() as AddressInfo | string;
  return typeof address === 'string' ? 0 : address.port;
}
const listenByTls = (options: ServerOptions = {}) => listen(createServer({ ...good, ...options }, answer));

const ask = (baseUrl: string, options: Partial<NodeKmsClientOptions> = {}) =>
  createNodeKmsClient({ baseUrl, token: 'token', retry: { attempts: 1 }, ...options }).getHealth();
const names = async (health: ReturnType<typeof ask>) => Object.keys((await health).checks);

describe('a client for Node.js', () => {
  test('trusts the authority that it is given, by the name that it is given', async () => {
    const port = await listenByTls();
    expect(await names(ask(`https://localhost:${port}`, { ca }))).toContain('localhost');
    const elsewhere = await listenByTls(pair(authority.issue('elsewhere', { names: 'DNS:kms.example' })));
    expect(await names(ask(`https://127.0.0.1:${elsewhere}`, { ca, serverName: 'kms.example' }))).toContain(
      'kms.example',
    );
  });

  test('proves itself by its certificate', async () => {
    const port = await listenByTls({ requestCert: true, rejectUnauthorized: true, ca });
    const { certificate, key } = own;
    const health = ask(`https://localhost:${port}`, { ca, certificate: pem(certificate), key: pem(key) });
    expect(await names(health)).toContain('true');
  });

  test('agrees by the hybrid group where that is all that the service takes', async () => {
    const port = await listenByTls({ ecdhCurve: 'X25519MLKEM768' });
    expect(await ask(`https://localhost:${port}`, { ca })).toMatchObject({ status: 'ok' });
  });

  test('reaches a socket file, and keeps its connection', async () => {
    const path = join(directory.path, 'kms.sock');
    const server = createPlainServer(answer);
    let connections = 0;
    server.on('connection', () => (connections += 1));
    await listen(server, path);
    const kms = createNodeKmsClient({ baseUrl: `unix:${path}`, token: 'token' });
    for (let call = 0; call < 3; call += 1) expect(await kms.getHealth()).toMatchObject({ status: 'ok' });
    expect(await ask(`unix://${path}`)).toMatchObject({ status: 'ok' });
    expect(connections).toBe(2);
  });

  test('ends a call that nobody answers, and one that is aborted', async () => {
    const server = createPlainServer(() => undefined);
    const port = await listen(server);
    await expect(ask(`http://127.0.0.1:${port}`, { timeoutMs: 100 })).rejects.toMatchObject({ code: 'TIMEOUT' });
    const kms = createNodeKmsClient({ baseUrl: `http://127.0.0.1:${port}`, token: 'token' });
    const reason = new Error('enough');
    const controller = new AbortController();
    const aborted = kms.getHealth({}, { signal: controller.signal });
    controller.abort(reason);
    await expect(aborted).rejects.toBe(reason);
  });

  const { certificate } = own;
  const locked = authority.issue('locked', { passphrase: 'hush' });
  test.each<readonly [string, Partial<NodeKmsClientOptions>, RegExp]>([
    ['an authority that is none', { ca: 'none' }, /ca must hold certificates in PEM/],
    ['a certificate without a key', { certificate: pem(certificate) }, /must be given together/],
    ['the key of another', { certificate: pem(certificate), key: good.key }, /cannot be used/],
    [
      'an encrypted key without its passphrase',
      { certificate: pem(locked.certificate), key: pem(locked.key) },
      /passphrase/,
    ],
    ['a socket file without a path', { baseUrl: 'unix:kms.sock' }, /absolute path/],
  ])('does not take %s', (_name, options, reason) => {
    const make = () => createNodeKmsClient({ baseUrl: 'https://localhost', token: 'token', ...options });
    expect(make).toThrow(KmsClientError);
    expect(make).toThrow(reason);
  });
});

describe('a connection that cannot be trusted is refused at once, with its reason:', () => {
  const fail = async (call: Promise<unknown>) => {
    const error: unknown = await call.then(
      () => undefined,
      (cause: unknown) => cause,
    );
    expect(error).toMatchObject({ code: 'TLS_FAILED', retryable: false });
    return (error as KmsClientError).message;
  };

  test('an authority that is not trusted, by either fetch', async () => {
    const url = `https://localhost:${await listenByTls()}`;
    expect(await fail(ask(url))).toMatch(/authority that is not trusted/);
    expect(await fail(ask(url, { ca: pem(foreign.certificate) }))).toMatch(/authority that is not trusted/);
    const kms = createKmsClient({ baseUrl: url, token: 'token' });
    expect(await fail(kms.getHealth())).toMatch(/authority that is not trusted/);
  });

  test('a chain that is not complete', async () => {
    const below = authority.issueAuthority('below');
    const url = `https://localhost:${await listenByTls(pair(below.issue('short')))}`;
    expect(await fail(ask(url, { ca }))).toMatch(/sends the certificates that lead to it/);
  });

  test('another name', async () => {
    const port = await listenByTls(pair(authority.issue('named', { names: 'DNS:kms.example' })));
    expect(await fail(ask(`https://localhost:${port}`, { ca }))).toMatch(/for another name/);
  });

  test('a certificate out of its time', async () => {
    const expired = pair(authority.issue('old', { validUntil: new Date(Date.now() - 60_000) }));
    expect(await fail(ask(`https://localhost:${await listenByTls(expired)}`, { ca }))).toMatch(/has expired/);
    const early = pair(authority.issue('new', { validFrom: new Date(Date.now() + 3_600_000) }));
    expect(await fail(ask(`https://localhost:${await listenByTls(early)}`, { ca }))).toMatch(/not valid yet/);
  });

  test('HTTP in the clear where TLS is expected', async () => {
    const port = await listen(createPlainServer(answer));
    expect(await fail(ask(`https://localhost:${port}`, { ca }))).toMatch(/does not speak TLS/);
  });

  test('TLS where HTTP in the clear is expected', async () => {
    const refuse: RequestListener = (_request, response) => {
      response.writeHead(400, { 'content-type': 'text/plain' });
      response.end('This port speaks TLS: use https.\n');
    };
    const port = await listen(createPlainServer(refuse));
    expect(await fail(ask(`http://127.0.0.1:${port}`))).toMatch(/speaks TLS\. Begin baseUrl with https/);
  });

  test('no version, cipher or group in common', async () => {
    // The key of the certificate is on a curve, so nobody can agree on this cipher with it.
    const port = await listenByTls({ maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' });
    expect(await fail(ask(`https://localhost:${port}`, { ca }))).toMatch(/no version, cipher or group/);
    // Brainpool is what no client offers by itself.
    const groups = await listenByTls({ ecdhCurve: 'brainpoolP256r1tls13', minVersion: 'TLSv1.3' });
    expect(await fail(ask(`https://localhost:${groups}`, { ca }))).toMatch(/no version, cipher or group/);
  });

  test('a service that does not accept the certificate of this client', async () => {
    // Node's own server only ends the connection; most others say why.
    const port = await freePort();
    const keys = ['-cert', served.certificate, '-key', served.key, '-CAfile', authority.certificate];
    const child = spawn('openssl', [
      's_server',
      '-accept',
      String(port),
      ...keys,
      '-Verify',
      '2',
      '-verify_return_error',
    ]);
    ends.push(() => child.kill());
    await once(child.stdout, 'data');
    const other = foreign.issue('other', { names: '', extensions: ['extendedKeyUsage=clientAuth'] });
    const options = { ca, certificate: pem(other.certificate), key: pem(other.key) };
    expect(await fail(ask(`https://localhost:${port}`, options))).toMatch(
      /does not accept the certificate of this client/,
    );
  });
});
