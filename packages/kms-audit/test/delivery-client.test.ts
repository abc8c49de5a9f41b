import { promises as dns } from 'node:dns';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { auditUrlProblem, deliveryClient, type DeliveryAnswer, readDelivery } from '@qnsp/kms-audit';
import { guardedLookup } from '../src/audit-address.ts';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Answer, type Sink, startSink } from './audit-sinks.ts';
import { sampleExport } from './audit-samples.ts';

type Batch = Awaited<ReturnType<typeof sampleExport>>['batches'][number];
let batch: Batch;
let sinks: Sink[] = [];
const never = new AbortController().signal;
const none: ReadonlySet<string> = new Set();

beforeAll(async () => {
  const [first] = (await sampleExport([3])).batches;
  if (first === undefined) throw new Error('the sample has a batch');
  batch = first;
});
afterEach(async () => {
  await Promise.all(sinks.map((sink) => sink.close()));
  sinks = [];
  vi.restoreAllMocks();
});

async function attempt(answer: Answer, timeoutMs = 5000): Promise<{ answer: DeliveryAnswer; sink: Sink }> {
  const sink = await startSink(answer);
  sinks.push(sink);
  const deliver = deliveryClient({ url: sink.url, bearerToken: 'the-token', allowedHosts: none, timeoutMs });
  return { answer: await deliver(batch, never), sink };
}

const acknowledged: Answer = (response) => {
  response.end(JSON.stringify({ batchId: batch.checkpoint.checkpointId }));
};

/** An answer of an audit service that will never take the batch. */
function refusal(status: number): Answer {
  return (response) => {
    response.writeHead(status).end(JSON.stringify({ batchId: batch.checkpoint.checkpointId, error: 'no' }));
  };
}

describe('a delivery', () => {
  test('is a POST with the token, the batch and its id', async () => {
    const { answer, sink } = await attempt(acknowledged);
    expect(answer).toEqual({ kind: 'accepted' });
    const [received] = sink.received;
    expect(received?.path).toBe('/audit/v1/kms-evidence');
    expect(received?.headers).toMatchObject({
      authorization: 'Bearer the-token',
      'content-type': 'application/json',
      'idempotency-key': batch.checkpoint.checkpointId,
    });
    expect(readDelivery(JSON.parse(received?.body ?? ''))).toEqual({
      events: batch.events,
      checkpoint: batch.checkpoint,
    });
  });

  test('keeps the path that the service is under', async () => {
    const sink = await startSink(acknowledged);
    sinks.push(sink);
    for (const path of ['/tenant/a', '/tenant/a/']) {
      const deliver = deliveryClient({ url: new URL(path, sink.url), bearerToken: 't', allowedHosts: none });
      expect(await deliver(batch, never)).toEqual({ kind: 'accepted' });
    }
    expect(sink.received.map(({ path }) => path)).toEqual(Array(2).fill('/tenant/a/audit/v1/kms-evidence'));
  });

  test.each<[string, Answer, DeliveryAnswer['kind']]>([
    ['no content', (response) => response.writeHead(204).end(), 'accepted'],
    ['any JSON object', (response) => response.writeHead(202).end('{"ok":true}'), 'accepted'],
    ['a list', (response) => response.end('[]'), 'failed'],
    ['a list that names it', (response) => response.end(`[{"batchId":"${batch.checkpoint.checkpointId}"}]`), 'failed'],
    ['a text', (response) => response.end('"ok"'), 'failed'],
    ['a number', (response) => response.end('1'), 'failed'],
    ['null', (response) => response.end('null'), 'failed'],
    ['true', (response) => response.end('true'), 'failed'],
    [
      'a refusal in a list',
      (response) => response.writeHead(409).end(`[{"batchId":"${batch.checkpoint.checkpointId}"}]`),
      'failed',
    ],
    ['the page of a proxy', (response) => response.end('<html>Please sign in</html>'), 'failed'],
    ['an answer about another batch', (response) => response.end('{"batchId":"another"}'), 'failed'],
    ['an error of the server', (response) => response.writeHead(500).end('boom'), 'failed'],
    ['a wrong token', (response) => response.writeHead(401).end(), 'failed'],
    ['nothing there', (response) => response.writeHead(404).end(), 'failed'],
    ['a malformed batch', refusal(400), 'refused'],
    ['a batch that contradicts another', refusal(409), 'refused'],
    ['a batch that is too large', refusal(413), 'refused'],
    ['a batch that does not verify', refusal(422), 'refused'],
    ['400 of a firewall', (response) => response.writeHead(400).end('<html>Bad Request</html>'), 'failed'],
    ['413 of a proxy', (response) => response.writeHead(413).end(), 'failed'],
    ['422 of a gateway', (response) => response.writeHead(422).end('{"error":"blocked"}'), 'failed'],
    ['409 about another batch', (response) => response.writeHead(409).end('{"batchId":"another"}'), 'failed'],
    ['a refusal with the wrong status', refusal(403), 'failed'],
    ['garbage instead of HTTP', (_response, socket) => socket.end('\u0000\u0001 garbage\r\n\r\n'), 'failed'],
    ['half a head', (_response, socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-le'), 'failed'],
    ['half a body', (_response, socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n{"bat'), 'failed'],
    ['an endless body', (response) => response.end('x'.repeat(100_000)), 'failed'],
    ['a cut connection', (_response, socket) => socket.destroy(), 'failed'],
  ])('that is answered by %s ends as it must', async (_name, answer, kind) => {
    expect((await attempt(answer)).answer.kind).toBe(kind);
  });

  test('that is refused without being named says by which status', async () => {
    const { answer } = await attempt((response) => response.writeHead(413).end());
    expect(answer).toMatchObject({ kind: 'failed', unnamedRefusal: 413 });
    const unavailable = await attempt((response) => response.writeHead(503).end());
    expect(unavailable.answer).not.toHaveProperty('unnamedRefusal');
  });

  test.each(['http', 'https'])('over %s goes to the audit service itself, whatever proxy is set', async (scheme) => {
    const read = (name: string) => readFileSync(new URL(`./fixtures/${name}`, import.meta.url), 'utf8');
    const tls = { key: read('server.key'), cert: read('server.pem') };
    const sink = await startSink(
      acknowledged,
      scheme === 'http' ? undefined : (answer) => createTlsServer(tls, answer),
    );
    const proxied: unknown[] = [];
    const proxy = createServer((request, response) => {
      proxied.push(request.headers);
      response.end('{}');
    });
    proxy.on('connect', (request, socket) => {
      proxied.push(request.headers);
      socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n');
    });
    const path = await startSink(acknowledged, () => proxy);
    sinks.push(sink, path);
    const { href } = path.url;
    const env = { HTTP_PROXY: href, HTTPS_PROXY: href, http_proxy: href, https_proxy: href, NODE_USE_ENV_PROXY: '1' };
    const child = fileURLToPath(new URL('./deliver-once.ts', import.meta.url));
    const { stdout } = await promisify(execFile)(
      process.execPath,
      [child, `${scheme}://localhost:${sink.url.port}/`, read('ca.pem')],
      { env },
    );
    expect(JSON.parse(stdout)).toMatchObject({ reason: 'the answer is not one of the audit service' });
    expect(sink.received).toHaveLength(1);
    expect(proxied).toEqual([]);
  });

  test('that nobody answers in time has failed, and so has one that is aborted', async () => {
    expect((await attempt(() => undefined, 100)).answer.kind).toBe('failed');
    const deliver = deliveryClient({ url: new URL('http://127.0.0.1:1/'), bearerToken: 't', allowedHosts: none });
    expect(await deliver(batch, AbortSignal.abort())).toMatchObject({ kind: 'failed' });
    expect(await deliver(batch, never)).toMatchObject({ kind: 'failed', reason: 'ECONNREFUSED' });
  });

  test.each([
    ['7', 7],
    ['99999999', 3600],
    ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
    ['soon', null],
  ])('with Retry-After: %s is tried again after %s seconds at the earliest', async (header, seconds) => {
    const { answer } = await attempt((response) => response.writeHead(429, { 'retry-after': header }).end());
    expect(answer).toMatchObject({ kind: 'failed', retryAfterSeconds: seconds });
  });

  test('that something in between refused waits as it asks', async () => {
    const { answer } = await attempt((response) => response.writeHead(413, { 'retry-after': '5' }).end());
    expect(answer).toMatchObject({ kind: 'failed', retryAfterSeconds: 5 });
  });

  test('follows no redirect', async () => {
    const elsewhere = await startSink(acknowledged);
    sinks.push(elsewhere);
    const { answer } = await attempt((response) => response.writeHead(307, { location: elsewhere.url.href }).end());
    expect(answer.kind).toBe('failed');
    expect(elsewhere.received).toEqual([]);
  });

  test('goes to a server whose certificate is verified, and to no other', async () => {
    const fixtures = new URL('./fixtures/', import.meta.url);
    const read = (name: string) => readFileSync(new URL(name, fixtures), 'utf8');
    const tls = { key: read('server.key'), cert: read('server.pem') };
    const sink = await startSink(acknowledged, (listener) => createTlsServer(tls, listener));
    sinks.push(sink);
    const url = new URL(sink.url.href.replace('http:', 'https:').replace('127.0.0.1', 'localhost'));
    const options = { url, bearerToken: 't', allowedHosts: none };
    expect(await deliveryClient({ ...options, caPem: read('ca.pem') })(batch, never)).toEqual({ kind: 'accepted' });
    expect((await deliveryClient({ ...options, caPem: read('other-ca.pem') })(batch, never)).kind).toBe('failed');
    expect((await deliveryClient(options)(batch, never)).kind).toBe('failed');
  });
});

describe('an address of the audit service', () => {
  test.each([
    'https://audit.example.com',
    'https://192.0.2.1:8443/base',
    'https://[2001:db8::1]/',
    'http://127.0.0.1:8096',
    'http://localhost:8096',
    'http://[::1]:8096',
  ])('%s can be used', (url) => {
    expect(auditUrlProblem(new URL(url), none)).toBeUndefined();
  });

  test.each([
    'http://audit.example.com',
    'http://10.0.0.1',
    'https://10.0.0.1',
    'https://172.20.1.1',
    'https://192.168.1.1',
    'https://169.254.169.254/latest',
    'https://[fd00::1]/',
    'https://[fe80::1]/',
    'https://[::ffff:10.0.0.1]/',
    'https://[64:ff9b::a00:1]/',
    // 6to4, Teredo and the deprecated IPv4-compatible form carry IPv4 addresses.
    'https://[2002:a00:1::1]/',
    'https://[2001:0:a9fe:a9fe::1]/',
    'https://[::10.0.0.1]/',
    'https://[::7f00:1]/',
    'https://0x7f.1.2.3.4.5/'.replace('0x7f.1.2.3.4.5', '0.0.0.0'),
    'https://user:password@audit.example.com',
    'ftp://audit.example.com',
  ])('%s cannot', (url) => {
    expect(auditUrlProblem(new URL(url), none)).toBeDefined();
  });

  test('may be private when it is allowed by name', () => {
    expect(auditUrlProblem(new URL('https://10.0.0.1'), new Set(['10.0.0.1']))).toBeUndefined();
    expect(auditUrlProblem(new URL('http://10.0.0.1'), new Set(['10.0.0.1']))).toBeDefined();
  });

  const look = (host: string, allowed: ReadonlySet<string>) =>
    new Promise((resolve) => {
      guardedLookup(allowed)(host, { all: true }, (error, found) => resolve(error ?? found));
    });

  test('is checked where the name leads to when it is connected', async () => {
    // Every machine has the name localhost for a private address; under an alias that is not that name it is refused.
    expect(await look('localhost', none)).toEqual(expect.arrayContaining([expect.objectContaining({ family: 4 })]));
    expect(await look('127.0.0.1.', none)).toBeInstanceOf(Error);
    expect(await look('localhost.', none)).toBeInstanceOf(Error);
  });

  test.each([
    ['10.1.2.3'],
    ['169.254.169.254'],
    ['192.0.2.1', '192.168.0.1'],
    ['2001:db8::1', 'fd00::1'],
    ['::ffff:169.254.169.254'],
  ])('may not be a name that leads to %s %s', async (...addresses) => {
    const found = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    // Of the forms of this function the one that answers all addresses is meant.
    vi.spyOn(dns, 'lookup').mockImplementation((() => Promise.resolve(found)) as unknown as typeof dns.lookup);
    expect(await look('audit.example.com', none)).toBeInstanceOf(Error);
    // Who allows one name allows that name, and nothing below it or beside it.
    const allowed = new Set(['audit.internal', 'other.example.com']);
    expect(await look('audit.example.com', allowed)).toBeInstanceOf(Error);
    expect(await look('sub.audit.internal', allowed)).toBeInstanceOf(Error);
    expect(await look('audit.internal', allowed)).toHaveLength(addresses.length);
    const outgoing = deliveryClient({
      url: new URL('https://audit.example.com'),
      bearerToken: 't',
      allowedHosts: allowed,
    });
    expect(await outgoing(batch, never)).toMatchObject({ kind: 'failed', reason: /not allowed/ });
  });

  test('is an error when its name is not found', async () => {
    vi.spyOn(dns, 'lookup').mockRejectedValue(new Error('ENOTFOUND'));
    expect(await look('audit.example.com', none)).toMatchObject({ message: 'ENOTFOUND' });
  });
});
