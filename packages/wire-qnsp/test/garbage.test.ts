import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Dialects, makeHttpServer } from '@qnsp/http-edge';
import { edgeUnderTest, HTTP_LIMITS } from '@qnsp/http-edge/testing';
import { afterEach, expect, test } from 'vitest';
import { drawerDialect, qnsp } from './dialects.ts';

const KNOWN = 'POST /drawer/none HTTP/1.1\r\nhost: kms\r\ncontent-length: 0\r\n\r\n';
const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function listen(dialects: Dialects): Promise<number> {
  const { edge } = await edgeUnderTest();
  const { server, stop } = makeHttpServer(edge, dialects, HTTP_LIMITS);
  stops.push(() => stop());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function connectTo(dialects: Dialects) {
  const socket = connect(await listen(dialects), '127.0.0.1');
  return async (text: string) => {
    socket.write(text);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    return answer.toString('latin1');
  };
}

test('what is no HTTP gets a bare status where nobody knows its dialect', async () => {
  const send = await connectTo([drawerDialect, qnsp.dialect]);
  const answer = await send('what is this\r\n\r\n');
  expect(answer).toMatch(
    /^HTTP\/1\.1 400 Bad Request\r\nx-request-id: [\w-]+\r\nconnection: close\r\ncontent-length: 0\r\n\r\n$/,
  );
});

test('what is no HTTP gets the shape of the dialect that its connection spoke before', async () => {
  const send = await connectTo([drawerDialect, qnsp.dialect]);
  expect(await send(KNOWN)).toContain('"oops":"NOT_FOUND"');
  expect(await send('what is this\r\n\r\n')).toContain('"oops":"BAD_REQUEST"');
});

test('what is no HTTP gets the shape of the only dialect of a port', async () => {
  const send = await connectTo([qnsp.dialect]);
  expect(await send('what is this\r\n\r\n')).toContain('"code":"BAD_REQUEST"');
});

test.each([
  ['a tunnel', 'CONNECT kms:443 HTTP/1.1\r\nhost: kms\r\n\r\n'],
  ['another protocol', 'GET / HTTP/1.1\r\nhost: kms\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n'],
  ['a go-ahead', 'POST / HTTP/1.1\r\nhost: kms\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n'],
  ['a wonder', 'POST / HTTP/1.1\r\nhost: kms\r\nexpect: a-wonder\r\ncontent-length: 9\r\n\r\n'],
  ['nothing known', 'what is this\r\n\r\n'],
])('a client that asks for %s and is gone before the answer ends nothing but its connection', async (_what, text) => {
  const port = await listen([qnsp.dialect]);
  for (let attempt = 0; attempt < 30; attempt += 1) {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(text);
    await sleep(attempt % 3);
    // An uncaught exception fails the test.
    socket.resetAndDestroy();
  }
  const socket = connect(port, '127.0.0.1');
  socket.write(KNOWN);
  expect(String(await once(socket, 'data'))).toContain('"code":"NOT_FOUND"');
  socket.destroy();
});
