import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectByTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { type CertificateOptions, lostTime, makeAuthority, tempDir, type TestCertificate } from '@qnsp/test-harness';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import {
  type Dialect,
  type HttpLimits,
  type HttpServer,
  makeHttpServer,
  type TlsIdentity,
  type TlsSettings,
} from '../src/index.ts';
import { edgeUnderTest, HTTP_LIMITS, ParsedRequests } from '../src/testing/index.ts';

const LIMITS = { ...HTTP_LIMITS, headersTimeoutMs: 500, shutdownTimeoutMs: 1000 };
const GROUPS = 'X25519MLKEM768:X25519:P-256';
const directory = tempDir('qnsp-tls-');
const authority = makeAuthority(directory.path, 'authority');
const another = makeAuthority(directory.path, 'another');
const clients = makeAuthority(directory.path, 'clients');
afterAll(() => directory.remove());

const pem = (path: string) => readFileSync(path, 'utf8');
const identityOf = ({ certificate, key }: TestCertificate): TlsIdentity => ({
  certificate: pem(certificate),
  key: pem(key),
});
const IDENTITY = identityOf(authority.issue('kms'));
const client = (name: string, options: CertificateOptions = {}) => {
  const { certificate, key } = clients.issue(name, {
    names: '',
    extensions: ['extendedKeyUsage=clientAuth'],
    ...options,
  });
  return { cert: pem(certificate), key: pem(key) };
};

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (let stop = stops.pop(); stop !== undefined; stop = stops.pop()) await stop();
});

const TARGET = { kind: { operation: 'getKey', isOpen: false, bodyBytes: 1024 } } as const;

/** Tells what a call presents. */
const mirror: Dialect = {
  name: 'mirror',
  source: 'mirror',
  claims: () => true,
  targetOf: () => TARGET,
  fastPath: { bodyBytes: 1024, targetOf: ({ method }) => (method === 'POST' ? TARGET : undefined) },
  presented: ({ headers }, certificate) =>
    headers.authorization === undefined ? { certificate } : { bearer: headers.authorization, certificate },
  perform: async (call) => {
    await sleep(Number(call.incoming.headers['x-wait'] ?? 0));
    return { status: 200, headers: {}, body: JSON.stringify(call.signedIn?.presented ?? null) };
  },
  problem: ({ code, message }) => ({ status: code === 'UNAUTHORIZED' ? 401 : 400, headers: {}, body: message }),
};

async function listen(settings: Partial<TlsSettings> = {}, limits: Partial<HttpLimits> = {}) {
  const under = await edgeUnderTest();
  const identity = { tenantId: null, permissions: new Set<never>(), attributes: { mfa: false }, keys: null } as const;
  const verifiers = [{ verify: () => ({ ...identity, subject: 'anybody', credential: 'certificate' as const }) }];
  const tls: TlsSettings = { identity: IDENTITY, minVersion: 'TLSv1.3', groups: GROUPS, ...settings };
  const http: HttpServer = makeHttpServer({ ...under.edge, verifiers }, [mirror], { ...LIMITS, ...limits, tls });
  http.server.listen(0, '127.0.0.1');
  await once(http.server, 'listening');
  stops.push(() => http.stop());
  return { http, port: (http.server.address() as AddressInfo).port, lines: under.lines };
}

const TRUST: ConnectionOptions = { host: '127.0.0.1', ca: pem(authority.certificate), servername: 'localhost' };

/** Agrees on a key, or fails with the code of the client's OpenSSL. */
function shake(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connectByTls({ ...TRUST, port, ...options }, () => resolve(socket));
    socket.on('error', reject);
    stops.push(() => socket.destroy());
  });
}

/** A call on a connection of its own, or of the agent. */
async function ask(port: number, options: ConnectionOptions & { readonly agent?: Agent; readonly wait?: number } = {}) {
  const { agent, wait = 0, ...tls } = options;
  const sent = request({
    ...TRUST,
    ...tls,
    port,
    agent: agent ?? false,
    method: 'POST',
    path: '/mirror',
    headers: { 'x-wait': String(wait), 'content-length': '0' },
  });
  sent.end();
  // What the event carries.
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  return { status: answer.statusCode, headers: answer.headers, body: await text(answer) };
}

const certificateIn = (body: string) => (JSON.parse(body) as { certificate?: Record<string, unknown> }).certificate;

test.each([
  ['X25519MLKEM768', 'X25519MLKEM768'],
  ['X25519', 'X25519'],
  ['P-256', 'prime256v1'],
  // A client that guesses another group first is asked to agree by the hybrid one all the same.
  ['X25519:X25519MLKEM768', 'X25519MLKEM768'],
  ['P-256:X25519:X25519MLKEM768', 'X25519MLKEM768'],
])('a client that knows the groups %s agrees by %s', async (ecdhCurve, agreed) => {
  const { port } = await listen();
  const socket = await shake(port, { ecdhCurve });
  expect(socket.getProtocol()).toBe('TLSv1.3');
  expect(socket.getEphemeralKeyInfo()).toMatchObject({ name: agreed });
});

test('a client without a group of the service cannot agree, nor one without TLS 1.3, nor one for HTTP/2 only', async () => {
  const { port, lines } = await listen();
  await expect(shake(port, { ecdhCurve: 'P-521' })).rejects.toThrow(/handshake failure/);
  await expect(shake(port, { maxVersion: 'TLSv1.2' })).rejects.toThrow(/protocol version/);
  await expect(shake(port, { ALPNProtocols: ['h2'] })).rejects.toThrow(/no application protocol/);
  expect((await shake(port, { ALPNProtocols: ['h2', 'http/1.1'] })).alpnProtocol).toBe('http/1.1');
  await vi.waitFor(() => expect(lines.join()).toContain('TLS connections failed'), { timeout: 20_000 });
});

test('TLS 1.2 where it is allowed has forward secrecy, and nothing is renegotiated', async () => {
  const { port } = await listen({ minVersion: 'TLSv1.2' });
  const socket = await shake(port, { maxVersion: 'TLSv1.2' });
  expect(socket.getProtocol()).toBe('TLSv1.2');
  socket.removeAllListeners('error').on('error', () => undefined);
  const renegotiated = new Promise((resolve) => socket.renegotiate({}, (error) => resolve(error === null)));
  expect(await Promise.race([renegotiated, sleep(500, false)])).toBe(false);
  const ciphers = 'AES128-SHA:AES256-GCM-SHA384:ECDHE-ECDSA-AES128-SHA';
  await expect(shake(port, { maxVersion: 'TLSv1.2', ciphers })).rejects.toThrow(/handshake failure/);
  await expect(
    shake(port, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' }),
  ).rejects.toThrow();
});

test.each([
  ['TLSv1.3', 'TLS_CHACHA20_POLY1305_SHA256'],
  ['TLSv1.2', 'ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305'],
] as const)('%s with approved ciphers alone has no ChaCha20-Poly1305', async (maxVersion, chacha) => {
  const { port } = await listen({ minVersion: 'TLSv1.2', approvedOnly: true });
  await expect(shake(port, { maxVersion, minVersion: maxVersion, ciphers: chacha })).rejects.toThrow(
    /handshake failure/,
  );
  expect((await shake(port, { maxVersion })).getCipher().name).toMatch(/GCM/);
});

test('HTTP in the clear is told to use TLS', async () => {
  const { port } = await listen();
  const answer = await fetch(`http://127.0.0.1:${port}/`);
  expect(answer.status).toBe(400);
  expect(await answer.text()).toBe('This port speaks TLS: use https.\n');
});

test('a client that does not begin is cut off when its headers would be', async () => {
  const { port } = await listen();
  const socket: Socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  const [lost, begun] = [lostTime(), performance.now()];
  await once(socket.resume(), 'close');
  const elapsed = performance.now() - begun;
  expect(elapsed).toBeGreaterThan(LIMITS.headersTimeoutMs * 0.9);
  expect(elapsed).toBeLessThan(LIMITS.headersTimeoutMs * 4 + lost());
});

test('a client that does not begin does not hold up the end', async () => {
  const { http, port } = await listen();
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  const [lost, begun] = [lostTime(), performance.now()];
  await http.stop();
  expect(performance.now() - begun).toBeLessThan(LIMITS.headersTimeoutMs + LIMITS.shutdownTimeoutMs + lost());
});

test('another identity is shown to new connections, and those that are there stay', async () => {
  const { http, port } = await listen();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  stops.push(() => agent.destroy());
  const localPorts = new Set<number | undefined>();
  agent.on('free', (socket: Socket) => localPorts.add(socket.localPort));
  const running = ask(port, { agent, wait: 2000 });
  await sleep(500);
  http.renew(identityOf(another.issue('kms')));
  expect((await running).status).toBe(200);
  expect((await ask(port, { agent })).status).toBe(200);
  expect(localPorts.size).toBe(1);
  await expect(shake(port)).rejects.toThrow(/unable to (verify|get)/);
  await shake(port, { ca: pem(another.certificate) });
});

test('an identity that does not fit is refused, and changes nothing', async () => {
  const { http, port } = await listen();
  const { key } = identityOf(another.issue('unfit'));
  expect(() => http.renew({ ...IDENTITY, key })).toThrow(/key values mismatch/);
  expect((await ask(port)).status).toBe(200);
});

test('a session is resumed, but not under another identity', async () => {
  const { http, port } = await listen();
  const session = await new Promise<Buffer>((resolve, reject) => {
    shake(port).then((socket) => socket.once('session', resolve), reject);
  });
  expect((await shake(port, { session })).isSessionReused()).toBe(true);
  http.renew(IDENTITY);
  expect((await shake(port, { session })).isSessionReused()).toBe(false);
});

const asking = (more: Partial<TlsIdentity> = {}, limits: Partial<HttpLimits> = {}) =>
  listen({ identity: { ...IDENTITY, clientAuthorities: pem(clients.certificate), ...more } }, limits);

const WAYS = [
  ['by node:http', false],
  ['from the socket', true],
] as const;

test('the names of a client are what its certificate says, and none where it has none', async () => {
  const { port } = await asking();
  expect(certificateIn((await ask(port)).body)).toBeUndefined();
  const names =
    'URI:spiffe://acme.example/payments,DNS:pay.acme.example,DNS:www.acme.example,email:pay@acme.example,IP:10.0.0.1';
  const own = client('payments', { names, commonName: 'Payments, the service' });
  const answer = await ask(port, own);
  expect(certificateIn(answer.body)).toEqual({
    uris: ['spiffe://acme.example/payments'],
    dnsNames: ['pay.acme.example', 'www.acme.example'],
    emails: ['pay@acme.example'],
    commonName: 'Payments, the service',
    fingerprint: expect.stringMatching(/^[\da-f]{64}$/),
    notBefore: expect.any(Number),
    notAfter: expect.any(Number),
  });
});

test('a name that looks like several is one', async () => {
  const { port } = await asking();
  const uri = 'spiffe://acme.example/a, URI:spiffe://acme.example/admin';
  const names = '@names\n[names]\nURI.1=spiffe://acme.example/a\\, URI:spiffe://acme.example/admin';
  const answer = await ask(port, client('forger', { names, commonName: 'a/CN=b' }));
  expect(certificateIn(answer.body)).toMatchObject({ uris: [uri] });
});

test.each([
  ['of another authority', () => ({ ...another.issue('foreign') }), /SELF_SIGNED|UNABLE_TO/],
  [
    'that has expired',
    () => clients.issue('expired', { validUntil: new Date(Date.now() - 60_000) }),
    /CERT_HAS_EXPIRED/,
  ],
  [
    'that is not valid yet',
    () => clients.issue('early', { validFrom: new Date(Date.now() + 3_600_000) }),
    /NOT_YET_VALID/,
  ],
  ['for servers', () => clients.issue('server', { extensions: ['extendedKeyUsage=serverAuth'] }), /INVALID_PURPOSE/],
] as const)('a certificate %s gets nothing, whatever else it presents', async (_name, issue, reason) => {
  const { port, lines } = await asking();
  const { certificate, key } = issue();
  const answer = await ask(port, { cert: pem(certificate), key: pem(key) });
  expect(answer).toMatchObject({ status: 401, headers: { connection: 'close' }, body: expect.stringMatching(reason) });
  await vi.waitFor(() => expect(lines.join()).toMatch(reason), { timeout: 20_000 });
});

test('a client proves itself on each connection', async () => {
  const { port } = await asking();
  const own = client('again');
  const socket = await shake(port, own);
  const sessions: Buffer[] = [];
  socket.on('session', (session) => sessions.push(session));
  socket.write('GET / HTTP/1.1\r\nhost: kms\r\n\r\n');
  await once(socket, 'data');
  for (const session of sessions) {
    const next = await shake(port, { session });
    expect(next.isSessionReused()).toBe(false);
  }
});

test.each(WAYS)(
  'a certificate that is revoked while its connection, read %s, lasts counts no longer, and others do',
  async (_way, socketFastPath) => {
    const revoked = clients.issue(`revoked-${socketFastPath}`, { names: '' });
    const [bad, good] = [{ cert: pem(revoked.certificate), key: pem(revoked.key) }, client('good')];
    const { http, port } = await asking({ revocations: pem(clients.revocations()) }, { socketFastPath });
    const parsed = new ParsedRequests(http.server);
    stops.push(() => parsed.stop());
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    stops.push(() => agent.destroy());
    expect(certificateIn((await ask(port, { ...bad, agent })).body)).toBeDefined();
    const running = ask(port, { ...bad, agent, wait: 2000 });
    await sleep(500);
    clients.revoke(revoked);
    http.renew({ ...IDENTITY, clientAuthorities: pem(clients.certificate), revocations: pem(clients.revocations()) });
    expect(await running).toMatchObject({ status: 200, headers: { connection: 'close' } });
    expect(parsed.count).toBe(socketFastPath ? 0 : 2);
    expect(await ask(port, { ...bad, agent })).toMatchObject({ status: 401, body: expect.stringContaining('REVOKED') });
    expect(certificateIn((await ask(port, good)).body)).toBeDefined();
  },
);

test.each(WAYS)(
  'a connection, read %s, that waits for nothing when a certificate is revoked is closed',
  async (_way, socketFastPath) => {
    const { http, port } = await asking({}, { socketFastPath });
    const socket = await shake(port, client('idle'));
    socket.write('POST /mirror HTTP/1.1\r\nhost: kms\r\ncontent-length: 0\r\n\r\n');
    await once(socket, 'data');
    const closed = once(socket.resume(), 'close');
    http.renew({ ...IDENTITY, clientAuthorities: pem(another.certificate) });
    await closed;
  },
);

test('a handshake that began before a certificate was revoked has to begin once more', async () => {
  // It is not cut for taking its time.
  const { http, port } = await asking({}, { headersTimeoutMs: 300_000, requestTimeoutMs: 300_000 });
  const begun = connect(port, '127.0.0.1');
  stops.push(() => begun.destroy());
  await once(begun, 'connect');
  // The server has accepted it once a later connection has gone through its handshake.
  (await shake(port, client('later'))).destroy();
  let isClosed = false;
  const closed = once(begun.resume(), 'close').then(() => (isClosed = true));
  const authorities = { clientAuthorities: pem(clients.certificate) };
  http.renew({ ...identityOf(authority.issue('renewed')), ...authorities });
  await sleep(50);
  expect(isClosed).toBe(false);
  http.renew({ ...IDENTITY, clientAuthorities: pem(another.certificate) });
  expect(await closed).toBe(true);
});
