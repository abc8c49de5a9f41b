import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, type Socket } from 'node:net';
import { connect as connectByTls } from 'node:tls';
import { makeAuthority, tempDir, trustAuthority } from '@qnsp/test-harness';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ConnectionBounds } from '../src/connection-bounds.ts';

const MIB = 1024 * 1024;
const ALLOWED = 16 * MIB;
/** More than the system takes up of one connection. */
const LARGE = Buffer.alloc(12 * MIB);
const ASKED = 'GET / HTTP/1.1\r\nhost: kms\r\n\r\n';

const directory = tempDir('qnsp-bounds-');
afterAll(() => directory.remove());
const authority = makeAuthority(directory.path, 'authority');
trustAuthority(authority);
const certificate = authority.issue('kms');
const identity = { cert: readFileSync(certificate.certificate), key: readFileSync(certificate.key) };

let server: Server;
let secure: boolean;
let bounds: ConnectionBounds;
let closed: string[];
let clients: Socket[];
let accepted: Set<Socket>;
let responses: ServerResponse[];
let answer: (response: ServerResponse) => void;

async function start(underTls: boolean): Promise<void> {
  secure = underTls;
  closed = [];
  clients = [];
  responses = [];
  accepted = new Set();
  bounds = new ConnectionBounds({ readTimeoutMs: 60_000, bufferedBytes: ALLOWED }, ({ reason }) => closed.push(reason));
  const serve = (request: IncomingMessage, response: ServerResponse) => {
    responses.push(response);
    if (response.socket === null) bounds.queue(request, response);
    answer(response);
  };
  const options = { ServerResponse: bounds.responses() };
  server = secure ? createTlsServer({ ...options, ...identity }, serve) : createServer(options, serve);
  server.on(secure ? 'secureConnection' : 'connection', (socket: Socket) => {
    accepted.add(socket);
    bounds.watch(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
}

afterEach(async () => {
  for (const client of clients) client.destroy();
  bounds.stop();
  server.closeAllConnections();
  await new Promise((ended) => server.close(ended));
});

/** What Node holds for all clients together, also of answers that wait behind another one. */
function held(): number {
  let bytes = 0;
  for (const socket of accepted) if (!socket.destroyed) bytes += socket.writableLength;
  for (const response of responses)
    if (response.socket === null && !response.req.socket.destroyed) bytes += response.writableLength;
  return bytes;
}

function open(bytes = ASKED): Socket {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const client = secure ? connectByTls({ port, host: '127.0.0.1' }) : connect(port, '127.0.0.1');
  client.on('error', () => undefined);
  client.pause();
  client.write(bytes);
  clients.push(client);
  return client;
}

describe.each(['in the clear', 'under TLS'])('answers that wait to be read %s', (way) => {
  beforeEach(() => start(way === 'under TLS'));

  test.each([
    ['whole', (response: ServerResponse) => response.end(LARGE)],
    ['a text', (response: ServerResponse) => response.end('a'.repeat(LARGE.length), 'latin1')],
    [
      'in pieces',
      (response: ServerResponse) => {
        for (let piece = 0; piece < 4; piece += 1) {
          response.write(LARGE.subarray(0, LARGE.length / 4));
          expect(held()).toBeLessThanOrEqual(ALLOWED);
        }
        response.end();
      },
    ],
  ])('never take more than they may, not for a moment: %s', async (_name, send) => {
    let most = 0;
    answer = (response) => {
      send(response);
      most = Math.max(most, held());
      expect(held()).toBeLessThanOrEqual(ALLOWED);
    };
    for (let client = 0; client < 20; client += 1) open();
    await vi.waitFor(() => expect(responses).toHaveLength(20), { timeout: 10_000 });
    expect(most).toBeGreaterThan(ALLOWED / 2);
    expect(closed.length).toBeGreaterThan(10);
    expect(new Set(closed)).toEqual(new Set(['too many unread answers']));
  });

  test('count behind another one on their connection', async () => {
    answer = () => undefined;
    open(ASKED.repeat(10));
    await vi.waitFor(() => expect(responses).toHaveLength(10), { timeout: 20_000 });
    // The first one is never answered, so that nothing of the others is sent.
    for (const response of responses.slice(1)) {
      response.end(LARGE.subarray(0, 4 * MIB));
      expect(held()).toBeLessThanOrEqual(ALLOWED);
    }
    expect(closed).toEqual(['too many unread answers']);
  });

  test('are closed from the one that waited for the longest', async () => {
    answer = (response) => response.end(LARGE);
    const first = open();
    const ended = once(first.resume().pause(), 'close');
    await vi.waitFor(() => expect(responses).toHaveLength(1), { timeout: 20_000 });
    while (closed.length === 0) {
      const before = responses.length;
      open();
      await vi.waitFor(() => expect(responses.length).toBeGreaterThan(before), { timeout: 20_000 });
    }
    first.resume();
    await ended;
    expect(responses.at(-1)?.req.socket.destroyed).toBe(false);
  });

  test('do not count any more when they were read', async () => {
    answer = (response) => response.end(LARGE);
    for (let client = 0; client < 10; client += 1) {
      const reader = open(ASKED.replace('\r\n\r\n', '\r\nconnection: close\r\n\r\n'));
      let bytes = 0;
      reader.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
      });
      await once(reader.resume(), 'end');
      expect(bytes).toBeGreaterThan(LARGE.length);
    }
    expect(closed).toEqual([]);
  });

  test('do not count any more when their client went away', async () => {
    answer = (response) => response.end(LARGE);
    for (let client = 0; client < 6; client += 1) {
      const before = responses.length;
      const socket = open();
      await vi.waitFor(() => expect(responses.length).toBeGreaterThan(before), { timeout: 20_000 });
      socket.destroy();
      await vi.waitFor(() => expect(held()).toBe(0), { timeout: 20_000 });
    }
    expect(closed).toEqual([]);
  });
});
