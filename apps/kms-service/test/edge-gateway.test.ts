import { randomUUID } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { type EdgeGateway, type EdgeGatewayOptions, startEdgeGateway, freePort } from '@qnsp/test-harness';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, type LocalService, send, startLocalService } from './local-service.ts';

const DATA = Buffer.from('data').toString('base64');
let local: LocalService;
let edge: EdgeGateway;
let keyId: string;

beforeAll(async () => {
  local = await startLocalService();
  edge = await startEdgeGateway({ upstreams: [local.service.port] });
  keyId = String((await local.call('POST', '/kms/v1/keys', {})).body['keyId']);
});
afterAll(async () => {
  await edge.server.stop();
  await local.end();
});

/** What is started for one test only; ended after it, the last first. */
const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (let end = ends.pop(); end !== undefined; end = ends.pop()) await end();
});

async function startGateway(options: EdgeGatewayOptions): Promise<EdgeGateway> {
  const gateway = await startEdgeGateway(options);
  ends.push(() => gateway.server.stop());
  return gateway;
}

interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly socket: Socket;
}

interface Upstream {
  readonly port: number;
  /** The requests that reached it, in order. */
  readonly seen: Seen[];
}

/** A server that tells what the gateway sends it, and then answers, hangs up or stays silent. */
async function startUpstream(then: 'answer' | 'hang up' | 503 = 'answer', port = 0): Promise<Upstream> {
  const seen: Seen[] = [];
  const server: Server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      const { method, url, headers, socket } = request;
      seen.push({ method, url, headers, body, socket });
      if (then === 'hang up') socket.destroy();
      else
        response.writeHead(then === 'answer' ? 200 : then, { 'content-type': 'application/json' }).end('{"own":true}');
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(port, '127.0.0.1', resolve);
  });
  ends.push(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  return { port: (server.address() as AddressInfo).port, seen };
}

function expectProblem(answer: Answer, status: number, code: string): void {
  expect(answer).toMatchObject({
    status,
    body: {
      statusCode: status,
      code,
      error: code,
      message: expect.stringMatching(/\.$|try again\.$/),
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    },
  });
  expect(answer.body['requestId']).toBe(answer.headers.get('x-request-id'));
  expect(answer.headers.get('content-type')).toBe('application/json');
}

describe('the routes of the edge gateway', () => {
  test.each(['/kms/v1', '/proxy/kms/v1', '/proxy/kms/kms/v1'])('%s leads to the service', async (base) => {
    const call = (method: string, path: string, body?: unknown) =>
      send(`${edge.baseUrl}${base}${path}`, method, local.apiToken, body);
    const sealed = await call('POST', `/keys/${keyId}/encrypt`, { plaintext: DATA });
    expect(sealed.status).toBe(200);
    const opened = await call('POST', '/decrypt', { ciphertext: sealed.body['ciphertext'] });
    expect(opened.body).toMatchObject({ plaintext: DATA, keyId });
    expect((await call('GET', '/keys?limit=1')).body['items']).toHaveLength(1);
    expect((await call('GET', '/keys?limit=many')).body).toMatchObject({ code: 'BAD_REQUEST', statusCode: 400 });
    expect((await call('GET', '/health')).body).toMatchObject({ status: 'ok', service: 'kms-service' });
  });

  test.each(['', '/proxy', '/proxy/kms'])('%s/billing/v1/sdk/activate is the handshake', async (base) => {
    const url = `${edge.baseUrl}${base}/billing/v1/sdk/activate`;
    expect((await send(url, 'POST', local.apiToken, { sdkId: 'kms' })).body).toMatchObject({
      activated: true,
      tenantId: local.tenantId,
    });
    expect(await send(url, 'POST', undefined, {})).toMatchObject({ status: 401, body: { activated: false } });
  });

  test('/proxy/kms/health is the health of the service', async () => {
    expect(await send(`${edge.baseUrl}/proxy/kms/health`, 'GET', undefined)).toMatchObject({
      status: 200,
      body: { service: 'kms-service', status: 'ok' },
    });
  });

  test.each([
    '/',
    '/metrics',
    '/kms/v1',
    '/proxy/kms/metrics',
    '/kms/v1/../../metrics',
    '/kms/v1/%2e%2e/%2e%2e/metrics',
    '/replay/kms/v1/keys',
    '/proxy/proxy/kms/v1/keys',
    '/replay/kms/v1',
    '/problem',
    '/activation-problem',
  ])('%s leads nowhere', async (path) => {
    // fetch would resolve the dots itself.
    const { status, body } = await sendRaw(edge, `GET ${path} HTTP/1.1`);
    expect(status).toBe(404);
    expect(body).toMatchObject({ statusCode: 404, code: 'NOT_FOUND' });
  });
});

/** Sends bytes, and reads until the other side closes. */
function exchange(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    socket.on('close', () => resolve(text));
    socket.on('error', reject);
  });
}

/** Sends a request line that no client library would send. */
async function sendRaw(gateway: EdgeGateway, line: string, headers = ''): Promise<{ status: number; body: unknown }> {
  const text = await exchange(
    gateway.server.port,
    `${line}\r\nHost: kms\r\nAuthorization: Bearer ${local.apiToken}\r\n${headers}Connection: close\r\n\r\n`,
  );
  const [head = '', body = ''] = text.split('\r\n\r\n');
  return { status: Number(head.split(' ')[1]), body: JSON.parse(body) };
}

describe('what the gateway passes on', () => {
  test('the query, the trace and the request id as they came', async () => {
    const upstream = await startUpstream();
    const gateway = await startGateway({ upstreams: [upstream.port] });
    const headers = {
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      tracestate: 'a=1',
      'x-request-id': 'order-7:retry.2',
      'x-qnsp-tenant': local.tenantId,
      'idempotency-key': 'one',
      'if-match': '"3"',
    };
    await send(
      `${gateway.baseUrl}/proxy/kms/v1/keys/${keyId}?a=b%2Fc&d=e~f&limit=100`,
      'GET',
      'token',
      undefined,
      headers,
    );
    expect(upstream.seen[0]?.url).toBe(`/kms/v1/keys/${keyId}?a=b%2Fc&d=e~f&limit=100`);
    expect(upstream.seen[0]?.headers).toMatchObject({ ...headers, authorization: 'Bearer token' });
  });

  test('a new request id in place of one that is no sane token', async () => {
    const answer = await send(`${edge.baseUrl}/kms/v1/keys`, 'GET', local.apiToken, undefined, {
      'x-request-id': 'a b"c',
    });
    expect(answer.headers.get('x-request-id')).toMatch(/^[\da-f]{32}$/);
  });

  test('nothing by which a client claims to be somebody or somewhere else', async () => {
    const upstream = await startUpstream();
    const gateway = await startGateway({ upstreams: [upstream.port], credential: 'shared' });
    await send(
      `${gateway.baseUrl}/kms/v1/keys`,
      'POST',
      'token',
      {},
      {
        'x-qnsp-api-key-id': 'spoofed',
        'x-qnsp-api-key-user': 'spoofed',
        'x-qnsp-api-key-scopes': 'spoofed',
        'x-qnsp-gateway-credential': 'spoofed',
        'x-forwarded-for': 'spoofed',
        'x-forwarded-host': 'spoofed',
        'x-real-ip': 'spoofed',
        forwarded: 'for=spoofed',
      },
    );
    const { headers } = upstream.seen[0] ?? { headers: {} };
    expect(JSON.stringify(headers)).not.toContain('spoofed');
    expect(headers).toMatchObject({ 'x-forwarded-for': '127.0.0.1', 'x-qnsp-gateway-credential': 'shared' });
  });

  test('many calls over one connection', async () => {
    const upstream = await startUpstream();
    const gateway = await startGateway({ upstreams: [upstream.port] });
    for (let call = 0; call < 20; call += 1) await send(`${gateway.baseUrl}/kms/v1/keys`, 'POST', 'token', { call });
    // Each worker process of nginx keeps connections of its own.
    expect(new Set(upstream.seen.map(({ socket }) => socket)).size).toBeLessThanOrEqual(4);
    expect(upstream.seen).toHaveLength(20);
  });

  test('a body of 8 MiB, and none above it', async () => {
    const items = Array.from({ length: 90 }, () => ({ plaintext: Buffer.alloc(64 * 1024).toString('base64') }));
    const body = JSON.stringify({ items });
    const padded = (bytes: number) => body + ' '.repeat(bytes - body.length);
    const path = `${edge.baseUrl}/kms/v1/keys/${keyId}/encrypt`;
    const full = await send(path, 'POST', local.apiToken, padded(8 * 1024 * 1024));
    expect(full.status).toBe(200);
    expect(full.body['items']).toHaveLength(90);
    expectProblem(await send(path, 'POST', local.apiToken, padded(8 * 1024 * 1024 + 1)), 413, 'PAYLOAD_TOO_LARGE');
  });
});

describe('several replicas', () => {
  const calls = (gateway: EdgeGateway, method: string, headers: Record<string, string> = {}) =>
    Promise.all(
      Array.from({ length: 6 }, () =>
        send(`${gateway.baseUrl}/kms/v1/keys/${keyId}`, method, 'token', undefined, headers),
      ),
    );

  test('all get calls', async () => {
    const upstreams = [await startUpstream(), await startUpstream()];
    await calls(await startGateway({ upstreams: upstreams.map(({ port }) => port) }), 'POST');
    expect(upstreams.every(({ seen }) => seen.length > 0)).toBe(true);
  });

  test('one that is down is passed by, whatever the call', async () => {
    const alive = await startUpstream();
    const gateway = await startGateway({ upstreams: [await freePort(), alive.port] });
    for (const method of ['GET', 'POST', 'PATCH', 'DELETE'])
      expect((await calls(gateway, method)).map(({ status }) => status)).toEqual(Array(6).fill(200));
  });

  test('that have all failed a moment ago are tried at once, whatever the call', async () => {
    const ports = [await freePort(), await freePort()];
    const gateway = await startGateway({ upstreams: ports });
    for (const answer of await calls(gateway, 'GET')) expectProblem(answer, 502, 'BAD_GATEWAY');
    const [first = 0, second = 0] = ports;
    await startUpstream('answer', first);
    for (const method of ['GET', 'POST', 'PATCH', 'DELETE'])
      expect((await calls(gateway, method)).map(({ status }) => status)).toEqual(Array(6).fill(200));
    await startUpstream('answer', second);
    expect((await calls(gateway, 'POST')).map(({ status }) => status)).toEqual(Array(6).fill(200));
  });

  test('a call that one of them has had goes to another only if it may be done twice', async () => {
    for (const [method, headers, twice] of [
      ['GET', {}, true],
      ['POST', {}, false],
      ['PATCH', {}, false],
      ['POST', { 'idempotency-key': randomUUID() }, true],
      ['PATCH', { 'idempotency-key': randomUUID() }, true],
    ] as const) {
      const upstreams = [await startUpstream('hang up'), await startUpstream('hang up')];
      const gateway = await startGateway({ upstreams: upstreams.map(({ port }) => port) });
      const answer = await send(`${gateway.baseUrl}/kms/v1/keys/${keyId}`, method, 'token', undefined, headers);
      expectProblem(answer, 502, 'BAD_GATEWAY');
      const had = upstreams.map(({ seen }) => seen.length);
      expect({ method, headers, calls: had.sort() }).toEqual({ method, headers, calls: twice ? [2, 2] : [0, 1] });
      expect(upstreams.flatMap(({ seen }) => seen).every(({ url }) => url === `/kms/v1/keys/${keyId}`)).toBe(true);
    }
  });

  test('the error of the service passes as it is, and is not tried elsewhere', async () => {
    const upstreams = [await startUpstream(503), await startUpstream(503)];
    const gateway = await startGateway({ upstreams: upstreams.map(({ port }) => port) });
    const answer = await send(`${gateway.baseUrl}/kms/v1/keys`, 'GET', 'token');
    expect(answer).toMatchObject({ status: 503, body: { own: true } });
    expect(upstreams.flatMap(({ seen }) => seen)).toHaveLength(1);
  });
});

describe('an error of the gateway itself', () => {
  test('has the one shape, says when to try again and repeats the request id', async () => {
    const gateway = await startGateway({ upstreams: [await freePort()] });
    const answer = await send(`${gateway.baseUrl}/proxy/kms/v1/keys`, 'POST', 'token', {}, { 'x-request-id': 'mine' });
    expectProblem(answer, 502, 'BAD_GATEWAY');
    expect(answer.body['requestId']).toBe('mine');
    expect(answer.headers.get('retry-after')).toBe('1');
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  test('in the handshake has the shape of the handshake', async () => {
    const gateway = await startGateway({ upstreams: [await freePort()] });
    const answer = await send(`${gateway.baseUrl}/proxy/billing/v1/sdk/activate`, 'POST', 'token', {});
    expect(answer).toMatchObject({
      status: 502,
      body: { activated: false, error: expect.stringMatching(/\.$/), code: 'SERVICE_UNAVAILABLE' },
    });
    expect(answer.headers.get('retry-after')).toBe('1');
  });

  test.each([
    ['garbage', 'GARBAGE', '', 400, 'BAD_REQUEST'],
    ['a request line above the limit', `GET /${'a'.repeat(20_000)} HTTP/1.1`, '', 414, 'BAD_REQUEST'],
    ['a header above the limit', 'GET /kms/v1/keys HTTP/1.1', `x-long: ${'a'.repeat(20_000)}\r\n`, 400, 'BAD_REQUEST'],
    ['the method TRACE', 'TRACE /kms/v1/keys HTTP/1.1', '', 405, 'METHOD_NOT_ALLOWED'],
  ])('%s is answered in the one shape', async (_name, line, headers, status, code) => {
    const answer = await sendRaw(edge, line, headers);
    expect(answer).toMatchObject({ status, body: { statusCode: status, code } });
  });
});
