import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Dialects, type HttpLimits, type HttpServer, makeHttpServer } from '@qnsp/http-edge';
import { edgeUnderTest, HTTP_LIMITS, ParsedRequests } from '@qnsp/http-edge/testing';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { qnsp } from '../dialects.ts';

const PATIENCE = { timeout: 10_000 };

/** Lets calls that ask for it wait, as those do that ask an HSM or the database. */
let release: () => void = () => undefined;
let entered = 0;
const waiting: Dialects = [
  {
    ...qnsp.dialect,
    perform: async (call, body) => {
      entered += 1;
      if (call.incoming.headers['x-wait'] !== undefined)
        await new Promise<void>((resolve) => {
          release = resolve;
        });
      return qnsp.dialect.perform(call, body);
    },
  },
];

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (let stop = stops.pop(); stop !== undefined; stop = stops.pop()) await stop();
});

describe.each([
  ['read by node:http alone', false],
  ['read from the socket', true],
])('requests %s', (_way, socketFastPath) => {
  /** A server, what it leaves behind, and how many requests `node:http` has parsed. */
  const listen = async (limits: Partial<HttpLimits> = {}, dialects: Dialects = [qnsp.dialect]) => {
    const under = await edgeUnderTest();
    const http: HttpServer = makeHttpServer(under.edge, dialects, { ...HTTP_LIMITS, ...limits, socketFastPath });
    const parsed = new ParsedRequests(http.server);
    http.server.listen(0, '127.0.0.1');
    await once(http.server, 'listening');
    entered = 0;
    let stopping: Promise<void> | undefined;
    const stop = () => (stopping ??= http.stop());
    stops.push(stop, () => parsed.stop());
    const { port } = http.server.address() as AddressInfo;
    const request = (fields: readonly string[] = [], body = qnsp.encryptBody(under.keyId, Buffer.alloc(32))) =>
      [
        `POST ${qnsp.encryptPath(under.keyId)} HTTP/1.1`,
        'host: kms',
        `authorization: Bearer ${under.token}`,
        ...fields,
        `content-length: ${body.length}`,
        '',
        body,
      ].join('\r\n');
    return { stop, port, request, lines: under.lines, parsed: () => parsed.count, server: http.server };
  };

  const open = async (port: number) => {
    const socket = connect(port, '127.0.0.1');
    stops.push(() => socket.destroy());
    const heard: Buffer[] = [];
    let closedAt: number | undefined;
    socket.on('data', (chunk: Buffer) => heard.push(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => (closedAt = performance.now()));
    await once(socket, 'connect');
    const text = () => Buffer.concat(heard).toString('latin1');
    const statuses = () => [...text().matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
    return { socket, text, statuses, isClosed: () => closedAt !== undefined };
  };

  test('go past node:http only where they are read from the socket', async () => {
    const { port, request, parsed } = await listen();
    const { socket, statuses } = await open(port);
    for (let sent = 1; sent <= 3; sent += 1) {
      socket.write(request());
      await vi.waitFor(() => expect(statuses()).toEqual(Array(sent).fill(200)), PATIENCE);
    }
    expect(parsed()).toBe(socketFastPath ? 0 : 3);
  });

  test.each([
    ['nothing', () => ''],
    ['a part of a head', (whole: string) => whole.slice(0, 40)],
    ['a head without a body', (whole: string) => whole.slice(0, whole.indexOf('\r\n\r\n') + 4)],
    ['a part of a body', (whole: string) => whole.slice(0, -5)],
    ['a request, and a part of the next one', (whole: string) => whole + whole.slice(0, 40)],
  ])('that do not come whole are refused in their time: %s', async (what, part) => {
    const { port, request } = await listen({ requestTimeoutMs: 1200, headersTimeoutMs: 600 });
    const { socket, text, isClosed } = await open(port);
    const begun = performance.now();
    socket.write(part(request()));
    await vi.waitFor(() => expect(isClosed()).toBe(true), PATIENCE);
    // Never before its time, and the last look comes soon after it.
    expect(performance.now() - begun).toBeGreaterThan(500);
    expect(text()).toContain('The request took too long to arrive.');
    expect(text().includes('200 OK')).toBe(what.startsWith('a request'));
  });

  test('whose body comes in pieces are answered', async () => {
    const { port, request, parsed } = await listen();
    const { socket, statuses } = await open(port);
    const body = qnsp.encryptBody('', Buffer.alloc(65_536));
    const whole = request([], body);
    for (let time = 1; time <= 3; time += 1) {
      for (let at = 0; at < whole.length; at += 20_000) {
        socket.write(whole.slice(at, at + 20_000));
        await sleep(1);
      }
      await vi.waitFor(() => expect(statuses()).toEqual(Array(time).fill(200)), PATIENCE);
    }
    if (!socketFastPath) expect(parsed()).toBe(3);
  });

  test('of a client that does not read are held back, and its connection is closed in its time', async () => {
    const { port, request, lines } = await listen({ requestTimeoutMs: 1500, headersTimeoutMs: 1500 });
    const { socket, isClosed } = await open(port);
    socket.pause();
    const whole = request([], qnsp.encryptBody('', Buffer.alloc(60_000)));
    let sent = 0;
    const send = () => {
      sent += 1;
      if (!isClosed() && sent < 2000) socket.write(whole, () => setImmediate(send));
    };
    send();
    await vi.waitFor(() => expect(lines.join()).toContain('the answer was not read in time'), PATIENCE);
    expect(sent).toBeLessThan(2000);
    socket.resume();
    await vi.waitFor(() => expect(isClosed()).toBe(true), PATIENCE);
  });

  test('are answered one after the other when one is waited for', async () => {
    const { port, request } = await listen({}, waiting);
    const { socket, text, statuses } = await open(port);
    socket.write(request(['x-wait: yes', 'x-request-id: first']));
    await vi.waitFor(() => expect(entered).toBe(1), PATIENCE);
    socket.write(request(['x-request-id: second']));
    socket.write(request(['x-request-id: third']));
    await sleep(50);
    expect(statuses()).toEqual([]);
    release();
    await vi.waitFor(() => expect(statuses()).toEqual([200, 200, 200]), PATIENCE);
    expect([...text().matchAll(/x-request-id: (\w+)/g)].map(([, id]) => id)).toEqual(['first', 'second', 'third']);
    socket.write(request());
    await vi.waitFor(() => expect(statuses()).toHaveLength(4), PATIENCE);
  });

  test('of a client that ends its half while it waits are not answered, and its connection ends', async () => {
    const { port, request } = await listen({}, waiting);
    const { socket, text, isClosed } = await open(port);
    socket.write(request(['x-wait: yes']));
    await vi.waitFor(() => expect(entered).toBe(1), PATIENCE);
    socket.end();
    await vi.waitFor(() => expect(isClosed()).toBe(true), PATIENCE);
    release();
    expect(text()).toBe('');
  });

  test('of a client that is gone end nothing else', async () => {
    const { port, request, lines } = await listen({}, waiting);
    const gone = await open(port);
    gone.socket.write(request(['x-wait: yes']));
    await vi.waitFor(() => expect(entered).toBe(1), PATIENCE);
    gone.socket.resetAndDestroy();
    await sleep(20);
    release();
    await vi.waitFor(() => expect(lines).toHaveLength(1), PATIENCE);
    const { socket, statuses } = await open(port);
    socket.write(request());
    await vi.waitFor(() => expect(statuses()).toEqual([200]), PATIENCE);
  });

  test('that are waited for when the server stops are answered, and their connections close', async () => {
    const { port, request, stop, server } = await listen({}, waiting);
    const busy = await open(port);
    const idle = await open(port);
    idle.socket.write(request());
    await vi.waitFor(() => expect(idle.statuses()).toEqual([200]), PATIENCE);
    busy.socket.write(request(['x-wait: yes']));
    await vi.waitFor(() => expect(entered).toBe(2), PATIENCE);
    const stopped = stop();
    await vi.waitFor(() => expect(server.listening).toBe(false), PATIENCE);
    await vi.waitFor(() => expect(idle.isClosed()).toBe(true), PATIENCE);
    expect(busy.isClosed()).toBe(false);
    release();
    await stopped;
    await vi.waitFor(() => expect(busy.isClosed()).toBe(true), PATIENCE);
    expect(busy.statuses()).toEqual([200]);
  });

  test('that are still waited for after the time for stopping are cut', async () => {
    const { port, request, stop } = await listen({ shutdownTimeoutMs: 300 }, waiting);
    const { socket, text, isClosed } = await open(port);
    socket.write(request(['x-wait: yes']));
    await vi.waitFor(() => expect(entered).toBe(1), PATIENCE);
    await stop();
    await vi.waitFor(() => expect(isClosed()).toBe(true), PATIENCE);
    expect(text()).toBe('');
    release();
  });

  test('that come while the server stops are told that their connection ends', async () => {
    const { port, request, stop, server } = await listen();
    const { socket, text, statuses, isClosed } = await open(port);
    socket.write(request());
    await vi.waitFor(() => expect(statuses()).toEqual([200]), PATIENCE);
    const stopped = stop();
    await vi.waitFor(() => expect(server.listening).toBe(false), PATIENCE);
    socket.write(request());
    await vi.waitFor(() => expect(isClosed()).toBe(true), PATIENCE);
    expect(statuses()).toEqual([200, 200]);
    expect(text().toLowerCase().split('connection: close')).toHaveLength(2);
    await stopped;
  });

  test('of more connections than there may be are refused', async () => {
    const { port, request } = await listen({ maxConnections: 2 });
    const opened: { readonly socket: Socket; statuses(): number[]; isClosed(): boolean }[] = [];
    for (let at = 0; at < 3; at += 1) {
      const connection = await open(port);
      opened.push(connection);
      connection.socket.write(request());
      await vi.waitFor(() => expect(connection.statuses().length > 0 || connection.isClosed()).toBe(true), PATIENCE);
    }
    expect(opened.map(({ statuses, isClosed }) => [statuses(), isClosed()])).toEqual([
      [[200], false],
      [[200], false],
      [[], true],
    ]);
  });
});
