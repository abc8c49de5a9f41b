import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { getRequestListener } from '@hono/node-server';
import { makeHttpServer } from '@qnsp/http-edge';
import { HTTP_LIMITS } from '@qnsp/http-edge/testing';
import { DEFAULT_THREADS } from '@qnsp/kms-core/internal';
import { poolJobs } from '@qnsp/kms-core/ports';
import { Hono, type MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { describe, expect, test, vi } from 'vitest';
import { kmsHttp } from '../src/index.ts';
import { incomingOf } from '../src/mounted/incoming-of.ts';
import { closing, JSON_TYPE, listen, makeKey, open, overHttp, within } from './mounted-kms.ts';

/** Sends one request as it is spelt, and reads until the server has ended the connection. */
async function spelt(port: number, head: string, body = ''): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(`${head}\r\nhost: kms\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  return text(socket);
}

/** Every character that may stand in the target of a request of Node.js. */
const PRINTABLE = Array.from({ length: 0x7e - 0x21 + 1 }, (_, at) => String.fromCharCode(0x21 + at)).filter(
  (character) => character !== '#',
);

test('the request of Node.js is the one that is read, whatever its query has', async () => {
  const others: string[] = [];
  const app = new Hono<{ Bindings: { readonly incoming: IncomingMessage } }>().all('*', (c) => {
    if (incomingOf(c) !== c.env.incoming) others.push(c.req.url);
    return c.text('');
  });
  const port = await listen(app as unknown as Hono);
  for (const character of PRINTABLE)
    expect(await spelt(port, `GET /kms/v1/keys?name=a${character}b HTTP/1.1`), character).toMatch(/^HTTP\/1\.1 200 /);
  expect(others).toEqual([]);
});

/** What an application may do with a request before it comes to the routes, at the root of a server of Node.js. */
const BEFORE: Readonly<Record<string, MiddlewareHandler>> = {
  'looks at the stream of its body': async (c, next) => {
    expect(c.req.raw.body).not.toBeNull();
    await next();
  },
  'limits its body': bodyLimit({ maxSize: 4 * 1024 * 1024 }),
  'reads its body': async (c, next) => {
    await c.req.text();
    await next();
  },
  'copies it and reads the copy': async (c, next) => {
    await c.req.raw.clone().text();
    await next();
  },
  'puts another in its place': async (c, next) => {
    c.req.raw = new Request(c.req.raw, { headers: { ...c.req.header(), 'x-user': 'ursula' } });
    await next();
  },
};

describe.each(Object.entries(BEFORE))('behind what %s,', (_, before) => {
  test.each([1, 60_000])('a request with a plaintext of %d bytes is served', async (bytes) => {
    const { options } = await open();
    const app = new Hono().post('/kms/v1/keys/:keyId/encrypt', before);
    const send = overHttp(await listen(app.route('/', kmsHttp(options).app)));
    const keyId = await makeKey(send);
    const plaintext = Buffer.alloc(bytes, 'a').toString('base64');
    const { body } = await send(`/kms/v1/keys/${keyId}/encrypt`, { user: 'ursula', body: { plaintext } });
    const { ciphertext } = body;
    expect(await send('/kms/v1/decrypt', { user: 'ursula', body: { ciphertext } })).toMatchObject({
      status: 200,
      body: { plaintext },
    });
  });

  test('a request that is too large is read to its end', async () => {
    const { options } = await open();
    const app = new Hono().post('/kms/v1/encrypt', before).route('/', kmsHttp(options).app);
    const send = overHttp(await listen(app));
    const body = { plaintext: Buffer.alloc(1_000_000).toString('base64') };
    expect(await send('/kms/v1/encrypt', { user: 'ursula', body })).toMatchObject({ status: 413 });
  });
});

test.each(['at the root', 'in a server of Node.js'])(
  'a method that was put in place of another is asked for, %s',
  async (where) => {
    const { options } = await open();
    const app = new Hono().use(async (c, next) => {
      c.req.raw = new Request(c.req.raw, { method: 'DELETE' });
      await next();
    });
    app.route('/', kmsHttp(options).app);
    const send = where === 'at the root' ? within(app) : overHttp(await listen(app));
    expect(await send('/kms/v1/keys', { user: 'ada' })).toMatchObject({ status: 405 });
  },
);

test.each(['within', 'in a server of Node.js'])(
  'a body that the routes do not claim is left to the next handler, %s',
  async (where) => {
    const { options } = await open();
    const app = new Hono()
      .route('/crypto', kmsHttp(options).app)
      .post('*', async (c) => c.json(await c.req.raw.json()));
    const send = where === 'within' ? within(app, '/crypto') : overHttp(await listen(app), '/crypto');
    const body = { note: 'of the application' };
    expect(await send('/notes', { body })).toMatchObject({ status: 200, body });
  },
);

/** How the part of a path may be spelt that an application has before the routes, as a parameter or as itself. */
const SPELT = ['a', 'a%20b', 'a%2Fb', 'a%25b', '%E2%82%AC', 'a+b', "a'b", 'a%5Cb', 'a%3Fb', '~a', 'a:b', 'a%7Eb'];

test.each(SPELT)('the routes are found below %s', async (team) => {
  const { options } = await open();
  const app = new Hono().route('/:team/crypto', kmsHttp(options).app);
  for (const send of [within(app, `/${team}/crypto`), overHttp(await listen(app), `/${team}/crypto`)]) {
    const keyId = await makeKey(send, `letters-${Math.random()}`);
    expect(await send(`/kms/v1/keys/${keyId}`, { user: 'ada' })).toMatchObject({ status: 200, body: { keyId } });
    expect(await send('/kms/v1/keys?limit=x', { user: 'ada' })).toMatchObject({ status: 400 });
  }
});

test('the routes are found below a path whose own spelling is not plain', async () => {
  const { options } = await open();
  const app = new Hono().route('/schlüssel dienst', kmsHttp(options).app);
  await makeKey(within(app, '/schlüssel dienst'));
});

test('the routes below a path of another tenant stay below it', async () => {
  const { options } = await open();
  const app = new Hono().route('/crypto', kmsHttp(options).app);
  expect(await within(app)('/cryptography/kms/v1/keys', { user: 'ada' }).catch(() => 'nothing')).toBe('nothing');
  expect((await app.request('/crypto/crypto/kms/v1/keys', { headers: { 'x-user': 'ada' } })).status).toBe(404);
});

const PATIENCE = { timeout: 20_000 };

/** How a request may come, and the signal that the one who sent it has gone. */
const WAYS: Readonly<
  Record<string, (routes: Hono) => Promise<(path: string, init: RequestInit) => Promise<Response>>>
> = {
  within: async (routes) => async (path, init) => routes.request(path, init),
  'in a server of Node.js': async (routes) => {
    const port = await listen(routes);
    return (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init);
  },
  'in a server of Node.js, under a path': async (routes) => {
    const port = await listen(new Hono().route('/crypto', routes));
    return (path, init) => fetch(`http://127.0.0.1:${port}/crypto${path}`, init);
  },
};

test.each(Object.entries(WAYS))(
  'a request that waits leaves the queue when nobody waits for it any more, %s',
  async (_where, way) => {
    const jobs = poolJobs();
    const { options } = await open({ jobs });
    const routes = kmsHttp(options).app;
    const send = await way(routes);
    const { promise: done, resolve: finish } = Promise.withResolvers<void>();
    closing.push(async () => finish());
    const busy = Array.from({ length: DEFAULT_THREADS }, () => jobs.run({ owner: 'another', units: 1 }, () => done));
    const waiting = () => jobs.counts()['short']?.waiting;
    expect(waiting()).toBe(0);
    const gone = new AbortController();
    const headers = { ...JSON_TYPE, 'x-user': 'ada' };
    const body = JSON.stringify({ name: 'letters', algorithm: 'ed25519' });
    const answer = send('/kms/v1/keys', { method: 'POST', headers, body, signal: gone.signal }).catch(() => undefined);
    await vi.waitFor(() => expect(waiting()).toBe(1), PATIENCE);
    gone.abort();
    await vi.waitFor(() => expect(waiting()).toBe(0), PATIENCE);
    finish();
    await Promise.all([answer, ...busy]);
  },
);

/** Sends a request with a body for which it waits to be told to go ahead. */
async function expecting(port: number, path: string, body: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  const fields = `host: kms\r\nx-user: ada\r\ncontent-type: application/json\r\nexpect: 100-continue\r\nconnection: close`;
  socket.write(`POST ${path} HTTP/1.1\r\n${fields}\r\ncontent-length: ${body.length}\r\n\r\n`);
  const [said] = (await once(socket, 'data')) as [Buffer];
  expect(said.toString()).toMatch(/^HTTP\/1\.1 100 /);
  socket.write(body);
  return text(socket);
}

test.each(['', '/crypto', '/a%20b'])(
  'who waits to go ahead is told so, under the path %j and whatever the query has',
  async (base) => {
    const { options } = await open();
    const { app, edge, dialects } = kmsHttp(options);
    const outer = new Hono().route(decodeURIComponent(base) || '/', app);
    const listener = getRequestListener(outer.fetch);
    const http = makeHttpServer(edge, dialects, HTTP_LIMITS, (incoming, outgoing) => void listener(incoming, outgoing));
    http.server.listen(0, '127.0.0.1');
    await once(http.server, 'listening');
    closing.push(() => http.stop());
    const { port } = http.server.address() as AddressInfo;
    // What the query holds is looked at together with the body.
    for (const query of ['', '?a="', '?a=<', '?a={', '?a=`'])
      expect(await expecting(port, `${base}/kms/v1/keys${query}`, '{"name":"letters"}'), query).toMatch(
        query === '' ? /^HTTP\/1\.1 201 / : /^HTTP\/1\.1 400 /,
      );
  },
);
