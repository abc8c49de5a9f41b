import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeHttpServer } from '@qnsp/http-edge';
import { HTTP_LIMITS } from '@qnsp/http-edge/testing';
import { localCaller, SYSTEM_TENANT } from '@qnsp/kms-core';
import { apiTokenVerifier, resolveAlgorithm } from '@qnsp/kms-core/internal';
import { Hono } from 'hono';
import { describe, expect, test } from 'vitest';
import { type Authenticate, ERROR_STATUS, kmsHttp } from '../src/index.ts';
import {
  answered,
  closing,
  JSON_TYPE,
  listen,
  makeKey,
  open,
  overHttp,
  type Send,
  type Sent,
  within,
} from './mounted-kms.ts';

/** How an application may take in the routes, and what then sends requests to them. */
const MOUNTS: Readonly<Record<string, (routes: Hono) => Promise<Send> | Send>> = {
  'as they are': (routes) => within(routes),
  'by route, at the root': (routes) => within(new Hono().route('/', routes)),
  'by route, under a path': (routes) => within(new Hono().route('/crypto', routes), '/crypto'),
  'by route, under a path with a parameter': (routes) => within(new Hono().route('/:team/crypto', routes), '/a/crypto'),
  'by mount, under a path': (routes) => within(new Hono().mount('/crypto', routes.fetch), '/crypto'),
  'behind one that has read the body': (routes) => {
    const app = new Hono();
    app.use(async (c, next) => {
      if (c.req.method === 'POST') await c.req.text();
      return next();
    });
    return within(app.route('/', routes));
  },
  'in a server of Node.js': async (routes) => overHttp(await listen(new Hono().route('/', routes))),
  'in a server of Node.js, under a path': async (routes) =>
    overHttp(await listen(new Hono().route('/crypto', routes)), '/crypto'),
  'in a server of Node.js, by mount': async (routes) =>
    overHttp(await listen(new Hono().mount('/crypto', routes.fetch)), '/crypto'),
  'in a server of Node.js, behind one that has read the body': async (routes) => {
    const app = new Hono();
    app.use(async (c, next) => {
      if (c.req.method === 'POST') await c.req.text();
      return next();
    });
    return overHttp(await listen(app.route('/', routes)));
  },
};

describe.each(Object.entries(MOUNTS))('the routes, mounted %s,', (_, mount) => {
  test('do what their callers may do, each with its event and its line', async () => {
    const { options, events, lines, tenantId } = await open();
    const send = await mount(kmsHttp(options).app);
    const keyId = await makeKey(send);
    // The key and its event are one unit of work; what leaves no change behind leaves its event here.
    const plaintext = Buffer.from('attack at dawn').toString('base64');
    const path = `/kms/v1/keys/${keyId}/encrypt`;
    const asked = { 'x-request-id': 'r-1', 'user-agent': 'a browser', 'x-real-ip': '192.0.2.7' };
    const { body } = await send(path, { user: 'ursula', headers: asked, body: { plaintext } });
    const opened = await send('/kms/v1/decrypt', { user: 'ursula', body: { ciphertext: body['ciphertext'] } });
    expect(opened).toMatchObject({ status: 200, body: { plaintext } });
    expect(await send(`/kms/v1/keys/${keyId}?x=1`, { user: 'ursula' })).toMatchObject({ status: 400 });
    expect(events.map(({ action }) => action)).toEqual(['encrypt', 'decrypt', 'getKey']);
    expect(events[0]).toMatchObject({
      actor: { id: 'ursula' },
      tenantId,
      result: 'success',
      context: { requestId: 'r-1', ip: '192.0.2.7', userAgent: 'a browser' },
    });
    expect(lines.map(({ operation, status }) => [operation, status])).toEqual([
      ['createKey', 201],
      ['encrypt', 200],
      ['decrypt', 200],
      ['getKey', 400],
    ]);
    expect(lines[1]).toMatchObject({ requestId: 'r-1', subject: 'ursula', tenantId });
  });

  test('refuse what they refuse everywhere', async () => {
    const { options, events } = await open();
    const send = await mount(kmsHttp(options).app);
    const keyId = await makeKey(send);
    const path = `/kms/v1/keys/${keyId}/encrypt`;
    const body = { plaintext: 'AAAA' };
    events.length = 0;
    const refusals = [
      await send(path, { body }),
      await send(path, { user: 'mallory', body }),
      await send(path, { user: 'aud', body }),
      await send(path, { user: 'ursula', headers: { 'x-qnsp-tenant': randomUUID() }, body }),
      await send(path, { user: 'ursula', body: '{"attack' }),
      await send(path, { user: 'ursula', headers: { 'content-type': 'text/plain' }, body: 'attack' }),
      await send(path, { user: 'ursula', body: { plaintext: 'A'.repeat(9 * 1024 * 1024) } }),
      await send(path, { user: 'ursula', method: 'DELETE' }),
      await send(`/kms/v1/keys/${randomUUID()}/encrypt`, { user: 'ursula', body }),
    ];
    const codes = refusals.map(({ status, body: { code } }) => [status, code]);
    expect(codes).toEqual(
      (
        [
          'UNAUTHORIZED',
          'UNAUTHORIZED',
          'FORBIDDEN',
          'TENANT_MISMATCH',
          'BAD_REQUEST',
          'UNSUPPORTED_MEDIA_TYPE',
          'PAYLOAD_TOO_LARGE',
          'METHOD_NOT_ALLOWED',
          'NOT_FOUND',
        ] as const
      ).map((code) => [ERROR_STATUS[code], code]),
    );
    // Of somebody whom nobody knows, and of what there is not, nothing is recorded.
    expect(events.map(({ actor, result }) => [actor.id, result])).toEqual([
      ['aud', 'denied'],
      ['ursula', 'denied'],
      ['ursula', 'failure'],
      ['ursula', 'failure'],
      ['ursula', 'failure'],
      ['ursula', 'failure'],
    ]);
  });
});

test('what the routes have nothing under goes on to the next handler', async () => {
  const { options, events, lines } = await open();
  const app = new Hono().route('/', kmsHttp(options).app).get('/health', (c) => c.text('of the application'));
  expect(await (await app.request('/health')).text()).toBe('of the application');
  expect(await (await app.request('/nothing')).text()).toBe('404 Not Found');
  expect(await (await app.request('/kms/v1/nothing')).text()).toBe('404 Not Found');
  expect([...events, ...lines]).toEqual([]);
});

test('without facts, nothing about the service is answered beside the app either', async () => {
  const { kms, options } = await open();
  for (const authenticate of [options.authenticate, [apiTokenVerifier(kms.parts)]]) {
    const { edge, dialects } = kmsHttp({ ...options, authenticate });
    const server = makeHttpServer(edge, dialects, HTTP_LIMITS);
    server.server.listen(0, '127.0.0.1');
    await once(server.server, 'listening');
    closing.push(() => server.stop());
    const send = overHttp((server.server.address() as AddressInfo).port);
    for (const path of ['/health', '/readyz', '/livez', '/metrics', '/openapi.json'])
      expect(await send(path, {}), path).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
  }
});

test('the routes about the service itself are there with facts, and need no caller', async () => {
  const { options } = await open();
  const facts = {
    version: '7',
    health: async () => ({ ...facts.liveness(), checks: {} }),
    liveness: () =>
      ({
        status: 'ok',
        service: 'kms-service',
        version: '7',
        timestamp: '2026-01-01T00:00:00.000Z',
        uptime: 1,
        checks: {},
      }) as const,
    metrics: async () => 'up 1\n',
  };
  const app = new Hono().route('/', kmsHttp({ ...options, facts }).app);
  expect(await (await app.request('/metrics')).text()).toBe('up 1\n');
  expect(await (await app.request('/livez')).json()).toMatchObject({ version: '7' });
  expect(await (await app.request('/openapi.json')).json()).toMatchObject({ info: { version: '7' } });
  const head = await app.request('/livez', { method: 'HEAD' });
  expect([head.status, await head.text()]).toEqual([200, '']);
  expect((await app.request('/livez', { method: 'OPTIONS' })).headers.get('allow')).toBe('GET, HEAD, OPTIONS');
});

test('callers may be found out by an earlier handler, or be bearers of tokens of the KMS', async () => {
  const { kms, tenantId, options, events } = await open();
  const admin = kms.as(localCaller({ tenantId, subject: 'ada', role: 'tenant_admin' }));
  const { token, tokenId } = await admin.createToken({ name: 'importer', role: 'key_user' });
  interface Signed {
    readonly Variables: { readonly user: string };
  }
  const app = new Hono<Signed>();
  app.use('/own/*', async (c, next) => {
    c.set('user', c.req.header('cookie') ?? 'nobody');
    return next();
  });
  const own = kmsHttp<Signed>({
    ...options,
    authenticate: (c) => localCaller({ tenantId, subject: c.get('user'), role: 'key_user' }),
  });
  const byToken = kmsHttp({
    ...options,
    authenticate: (c) => {
      const bearer = c.req.header('authorization')?.replace('Bearer ', '');
      return kms.authenticate({ bearer }, { ip: '192.0.2.9', requestId: c.req.header('x-request-id') ?? null });
    },
  });
  app.route('/own', own.app).route('/tokens', byToken.app);
  events.length = 0;
  expect((await app.request('/own/kms/v1/keys', { headers: { cookie: 'grace' } })).status).toBe(200);
  const headers = { authorization: `Bearer ${token}` };
  expect((await app.request('/tokens/kms/v1/keys', { headers })).status).toBe(200);
  const self = await app.request('/tokens/kms/v1/tokens/self', { headers });
  expect(await self.json()).toMatchObject({ tokenId });
  expect(events.map(({ actor }) => actor.id).slice(0, 2)).toEqual(['grace', tokenId]);
  await admin.revokeToken({ tokenId });
  events.length = 0;
  expect((await app.request('/tokens/kms/v1/keys', { headers })).status).toBe(401);
  // The KMS and the edge both know whose it was, and only one of them says so.
  expect(events.map(({ actor, result }) => [actor.id, result])).toEqual([[tokenId, 'denied']]);
});

test('a caller of a tenant stays in it, and one of the platform names the tenant', async () => {
  const { kms, options } = await open();
  const platform = localCaller({
    tenantId: SYSTEM_TENANT,
    subject: 'operator',
    role: 'platform_admin',
  });
  const send = within(kmsHttp({ ...options, authenticate: () => platform }).app);
  expect(await send('/kms/v1/tenants', {})).toMatchObject({ status: 200 });
  expect(await send('/kms/v1/keys', {})).toMatchObject({ status: 400, body: { code: 'BAD_REQUEST' } });
  const other = await kms.ensureTenant('another');
  const named = { headers: { 'x-qnsp-tenant': other } };
  expect(await send('/kms/v1/keys', named)).toMatchObject({ status: 200 });
  expect(await within(kmsHttp(options).app)('/kms/v1/keys', { user: 'ada', ...named })).toMatchObject({ status: 403 });
});

test('what fails inside is answered without a word and told to the log', async () => {
  const { options, failures } = await open();
  const authenticate = () => Promise.reject(new Error('the session store is away'));
  const { status, body } = await within(kmsHttp({ ...options, authenticate }).app)('/kms/v1/keys', {});
  expect([status, body['code']]).toEqual([500, 'INTERNAL_ERROR']);
  expect(JSON.stringify(body)).not.toContain('session store');
  expect(failures).toEqual([expect.objectContaining({ err: new Error('the session store is away') })]);
});

test('a body that ends before it is complete is an error of its request alone', async () => {
  const { options } = await open();
  const body = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.error(new Error('the client is gone')),
  });
  const sent = { method: 'POST', headers: { ...JSON_TYPE, 'x-user': 'ada' }, body, duplex: 'half' } as const;
  const answer = await kmsHttp(options).app.request('/kms/v1/keys', sent);
  expect(await answered(answer)).toMatchObject({ status: 400, body: { code: 'BAD_REQUEST' } });
});

test('the address of a caller is the one that the application says, not that of the connection', async () => {
  const { options } = await open();
  const send = overHttp(await listen(kmsHttp(options).app));
  const keyId = await makeKey(send);
  const conditions = { ip: ['192.0.2.0/24'] };
  const policy = {
    version: '1',
    statements: [{ effect: 'deny', actions: ['kms:encrypt'], resources: ['*'], conditions }],
  };
  expect(await send(`/kms/v1/keys/${keyId}/policy`, { user: 'ada', method: 'PUT', body: policy })).toMatchObject({
    status: 200,
  });
  const from = async (ip: string) => {
    const sent = { user: 'ursula', headers: { 'x-real-ip': ip }, body: { plaintext: 'AAAA' } };
    return (await send(`/kms/v1/keys/${keyId}/encrypt`, sent)).status;
  };
  expect([await from('192.0.2.7'), await from('198.51.100.7')]).toEqual([403, 200]);
});

test('closing the KMS waits for a request that runs, and then nothing is served', async () => {
  const { kms, options, tenantId } = await open();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const authenticate: Authenticate = (c) => {
    if (c.req.path.endsWith('/encrypt')) begin();
    return localCaller({ tenantId, subject: 'ada', role: 'tenant_admin' });
  };
  const http = kmsHttp({ ...options, authenticate });
  const port = await listen(http.app);
  const keyId = await makeKey(overHttp(port));
  const socket = connect(port, '127.0.0.1');
  const body = JSON.stringify({ plaintext: 'AAAA' });
  const head = `POST /kms/v1/keys/${keyId}/encrypt HTTP/1.1\r\nhost: kms\r\nx-user: ursula\r\ncontent-type: application/json\r\n`;
  socket.write(`${head}content-length: ${body.length}\r\n\r\n${body.slice(0, 5)}`);
  await begun;
  let closed = false;
  const closes = kms.close().then(() => (closed = true));
  await sleep(50);
  expect(closed).toBe(false);
  socket.write(body.slice(5));
  const [answer] = (await once(socket, 'data')) as [Buffer];
  await closes;
  expect(answer.toString()).toMatch(/^HTTP\/1\.1 200 /);
  socket.destroy();
  const { status, body: problem } = await within(http.app)('/kms/v1/keys', { user: 'ada' });
  expect([status, problem['code']]).toEqual([503, 'SEALED']);
});

test('the app and the server without it give the same answers', async () => {
  const { kms, tenantId, options } = await open();
  const admin = kms.as(localCaller({ tenantId, subject: 'ada', role: 'tenant_admin' }));
  const { token } = await admin.createToken({ name: 'live', role: 'tenant_admin' });
  const http = kmsHttp({ ...options, authenticate: [apiTokenVerifier(kms.parts)] });
  const server = makeHttpServer(http.edge, http.dialects, HTTP_LIMITS);
  server.server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  closing.push(() => server.stop());
  const { port } = server.server.address() as AddressInfo;
  const { keyId } = await admin.createKey({ name: 'letters', algorithm: resolveAlgorithm('hmac-sha256') });
  const body = { message: Buffer.from('hello').toString('base64') };
  const headers = { authorization: `Bearer ${token}`, 'x-request-id': 'r-1' };
  const requests: readonly (readonly [string, Sent])[] = [
    [`/kms/v1/keys/${keyId}/mac`, { headers, body }],
    [`/kms/v1/keys/${keyId}`, { headers }],
    [`/kms/v1/keys/${keyId}`, { headers: { 'x-request-id': 'r-1' } }],
    [`/kms/v1/keys/${keyId}`, { headers, method: 'PUT' }],
    ['/kms/v1/keys/stats', { headers }],
    ['/kms/v1/nothing', { headers }],
  ];
  const known = ({ status, headers: of, body: told }: Awaited<ReturnType<typeof answered>>) => ({
    status,
    body: { ...told, timestamp: undefined },
    headers: ['content-type', 'x-request-id', 'etag', 'allow', 'www-authenticate', 'cache-control'].map((n) =>
      of.get(n),
    ),
  });
  for (const [path, sent] of requests) {
    const one = known(await within(http.app)(path, sent));
    expect(one, path).toEqual(known(await overHttp(port)(path, sent)));
    expect(one.headers[1]).toBe('r-1');
  }
});
