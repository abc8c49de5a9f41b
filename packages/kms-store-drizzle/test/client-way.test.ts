import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import postgres, { type Options } from 'postgres';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { wayOfClient } from '../src/postgres/client-way.ts';

/** What a server may do with who connects to it. */
const SERVERS: readonly (readonly [string, (socket: Socket) => void])[] = [
  ['hangs up', (socket) => socket.destroy()],
  ['hangs up on the first bytes', (socket) => socket.once('data', () => socket.destroy())],
  ['resets on the first bytes', (socket) => socket.once('data', () => socket.resetAndDestroy())],
  ['offers TLS and hangs up', (socket) => socket.once('data', () => socket.end('S'))],
  ['offers TLS and resets', (socket) => socket.once('data', () => socket.write('S', () => socket.resetAndDestroy()))],
  ['offers TLS and speaks another protocol', (socket) => socket.once('data', () => speakNonsense(socket))],
  ['says nothing', (socket) => socket.once('data', () => undefined)],
  ['offers TLS and says nothing more', (socket) => socket.once('data', () => socket.write('S'))],
];

const TLS: readonly (readonly [string, Options<Record<string, never>>])[] = [
  ['asks for TLS', { ssl: 'require' }],
  ['asks for TLS and takes none', { ssl: 'prefer' }],
  ['verifies', { ssl: 'verify-full' }],
  ['begins TLS at once', { ssl: 'require', sslnegotiation: 'direct' } as Options<Record<string, never>>],
];

function speakNonsense(socket: Socket): void {
  socket.write('S');
  socket.once('data', () => socket.write('nonsense'));
}

describe('the way of a client', () => {
  let server: Server;
  let serve: (socket: Socket) => void;
  const accepted: Socket[] = [];

  beforeEach(async () => {
    server = createServer({ allowHalfOpen: true }, (socket) => {
      accepted.push(socket);
      socket.on('error', () => socket.destroy());
      serve(socket);
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
  });
  afterEach(async () => {
    for (const socket of accepted.splice(0)) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  const port = () => (server.address() as AddressInfo).port;

  function clientWith(options: Options<Record<string, never>>, socket?: () => Socket | Promise<Socket>) {
    return postgres({ host: '127.0.0.1', port: port(), ...options, ...(socket === undefined ? {} : { socket }) });
  }

  /** Sockets that the application makes itself. */
  function ownSockets() {
    const made: Socket[] = [];
    const make = async () => {
      const socket = connect(port(), '127.0.0.1');
      made.push(socket);
      await once(socket, 'connect');
      return socket;
    };
    return { made, make };
  }

  const cases = SERVERS.flatMap(([does, how]) => TLS.map(([asks, options]) => [asks, does, how, options] as const));

  it.each(cases)('that %s over its own socket ends with a server that %s', async (_asks, _does, how, options) => {
    serve = how;
    const { made, make } = ownSockets();
    const way = wayOfClient(clientWith(options, make));
    const attempt = way.connect(500, new AbortController().signal);
    await expect(attempt).rejects.toMatchObject({ message: expect.stringContaining(`127.0.0.1:${port()}`) });
    expect(made.map(({ destroyed }) => destroyed)).toEqual([true]);
  });

  it.each(TLS)('that %s gives up at once when it is told to', async (_asks, options) => {
    serve = () => undefined;
    const { made, make } = ownSockets();
    const giveUp = new AbortController();
    const attempt = wayOfClient(clientWith(options, make)).connect(60_000, giveUp.signal);
    await once(server, 'connection');
    giveUp.abort();
    await expect(attempt).rejects.toMatchObject({ code: 'CONNECT_TIMEOUT' });
    await expect.poll(() => made.map(({ destroyed }) => destroyed)).toEqual([true]);
    const already = wayOfClient(clientWith(options, make)).connect(60_000, giveUp.signal);
    await expect(already).rejects.toMatchObject({ code: 'CONNECT_TIMEOUT' });
  });

  it('destroys a socket of the application that comes too late', async () => {
    serve = () => undefined;
    const { made, make } = ownSockets();
    const released = Promise.withResolvers<void>();
    const late = () => released.promise.then(make);
    const attempt = wayOfClient(clientWith({ ssl: 'require' }, late)).connect(50, new AbortController().signal);
    await expect(attempt).rejects.toMatchObject({ code: 'CONNECT_TIMEOUT' });
    released.resolve();
    await expect.poll(() => made.map(({ destroyed }) => destroyed)).toEqual([true]);
  });

  it('says why the application could not connect, and notices a socket that is closed already', async () => {
    const refused = Object.assign(new Error('no tunnel'), { code: 'ENOTUNNEL' });
    const none = wayOfClient(clientWith({}, () => Promise.reject(refused)));
    await expect(none.connect(60_000, new AbortController().signal)).rejects.toMatchObject({ code: 'ENOTUNNEL' });
    serve = () => undefined;
    const { make } = ownSockets();
    const closed = wayOfClient(clientWith({ ssl: 'require' }, () => make().then((socket) => socket.destroy())));
    await expect(closed.connect(60_000, new AbortController().signal)).rejects.toMatchObject({
      code: 'CONNECTION_CLOSED',
    });
  });

  it('takes as long for a connection as it was asked to, or as the client does', () => {
    expect(wayOfClient(clientWith({ connect_timeout: 7 })).connectTimeoutSeconds).toBe(7);
    expect(wayOfClient(clientWith({ connect_timeout: 7 }), 3).connectTimeoutSeconds).toBe(3);
    expect(wayOfClient(clientWith({ connect_timeout: 0 })).connectTimeoutSeconds).toBe(30);
  });
});
