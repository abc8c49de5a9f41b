import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { openPostgresStore } from '@qnsp/kms-store-drizzle';
import { createDatabase } from '@qnsp/test-harness';
import { afterEach, describe, expect, it } from 'vitest';
import { Connection } from '../src/postgres/connection.ts';
import { wayTo } from '../src/postgres/way-to-server.ts';

const UNAVAILABLE = { code: 'STORE_UNAVAILABLE' };
/** AuthenticationOk and ReadyForQuery (PostgreSQL protocol 3.0): the server took the login and waits for a query. */
const LOGGED_IN = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0, 0x5a, 0, 0, 0, 5, 0x49]);

it('is left in no failed transaction by a beginning that failed', async () => {
  const database = await createDatabase();
  const connection = new Connection({
    ...wayTo(database.url, { ssl: 'disable' }),
    name: 'qnsp-kms',
    pooled: false,
    serverTimeoutMs: 1000,
  });
  await expect(connection.begin('select 1/0')).rejects.toMatchObject({ code: 'INTERNAL_ERROR' });
  await expect(connection.begin(`select '7' as now`)).resolves.toBe('7');
  await connection.rollback();
  await connection.end();
  await database.drop();
});

/** Servers that misbehave in ways that a real one can't be brought to. */
describe('a connection', () => {
  let server: Server | undefined;

  afterEach(async () => {
    await new Promise((resolve) => server?.close(resolve));
  });

  async function listen(serve: (socket: Socket) => void): Promise<{ url: string }> {
    server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => socket.destroy());
      serve(socket);
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    return { url: `postgresql://kms@127.0.0.1:${port}/kms` };
  }

  it('is not tried for ever on a server that hangs up on it', async () => {
    let accepted = 0;
    const { url } = await listen((socket) => {
      accepted += 1;
      socket.destroy();
    });
    await expect(openPostgresStore({ url, ssl: 'disable', migrate: 'auto' })).rejects.toMatchObject(UNAVAILABLE);
    await sleep(50);
    expect(accepted).toBe(1);
  });

  it('leaves nothing open when it is destroyed, though the server never answers', async () => {
    let ended: Promise<unknown> | undefined;
    const { url } = await listen((socket) => {
      socket.once('data', () => socket.write(LOGGED_IN));
      // A peer that is half closed still takes data; one that is gone resets the connection.
      ended = once(socket, 'end').then(async () => {
        while (!socket.destroyed) {
          socket.write('x');
          await sleep(5);
        }
      });
    });
    const connection = new Connection({
      ...wayTo(url, { ssl: 'disable' }),
      name: 'qnsp-kms',
      pooled: false,
      serverTimeoutMs: 1000,
    });
    const begun = connection.begin('select 1');
    await sleep(50);
    connection.destroy();
    expect(connection.lost).toBe(true);
    await expect(begun).rejects.toMatchObject(UNAVAILABLE);
    await expect(connection.begin('select 1')).rejects.toMatchObject(UNAVAILABLE);
    await ended;
  });
});
