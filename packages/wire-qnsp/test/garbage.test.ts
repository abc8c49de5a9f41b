import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { type Dialects, makeHttpServer } from '@qnsp/http-edge';
import { edgeUnderTest } from '@qnsp/http-edge/testing';
import { afterEach, expect, test } from 'vitest';
import { drawerDialect, qnsp } from './dialects.ts';

const LIMITS = {
  requestTimeoutMs: 10_000,
  headersTimeoutMs: 5000,
  maxConnections: 100,
  maxAnswerBytes: 1024 * 1024,
  drainDelayMs: 0,
  shutdownTimeoutMs: 1000,
};
const KNOWN = 'POST /drawer/none HTTP/1.1\r\nhost: kms\r\ncontent-length: 0\r\n\r\n';
const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function connectTo(dialects: Dialects) {
  const { edge } = await edgeUnderTest();
  const { server, stop } = makeHttpServer(edge, dialects, LIMITS);
  stops.push(() => stop());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
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
