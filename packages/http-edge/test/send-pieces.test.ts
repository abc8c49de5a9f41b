import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { sendAnswer } from '../src/serve-request.ts';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

const PIECE = 'x'.repeat(64 * 1024);

/** What was asked of the pieces of an answer. */
class Pieces {
  made = 0;
  ended = false;

  async *of(count: number, failsAt = Number.POSITIVE_INFINITY): AsyncGenerator<string, void, void> {
    try {
      while (this.made < count) {
        if (this.made === failsAt) throw new Error('no more');
        this.made += 1;
        yield PIECE;
        await sleep(0);
      }
    } finally {
      this.ended = true;
    }
  }
}

async function serve(pieces: AsyncIterable<string>): Promise<number> {
  const server = createServer((_incoming, outgoing) => {
    outgoing.on('error', () => undefined);
    sendAnswer(outgoing, { status: 200, headers: { 'content-type': 'text/plain' }, body: '', rest: pieces });
  });
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function answerOf(port: number, method = 'GET'): Promise<IncomingMessage> {
  const sent = request({ port, method, host: '127.0.0.1' });
  sent.end();
  const [incoming] = (await once(sent, 'response')) as [IncomingMessage];
  return incoming;
}

test('the pieces of an answer come one after the other, and it states no length', async () => {
  const pieces = new Pieces();
  const incoming = await answerOf(await serve(pieces.of(3)));
  expect(incoming.headers['content-length']).toBeUndefined();
  let length = 0;
  for await (const chunk of incoming) length += (chunk as Buffer).length;
  expect(length).toBe(3 * PIECE.length);
  expect(pieces).toMatchObject({ made: 3, ended: true });
});

test('none is made that the client has not taken those before', async () => {
  const pieces = new Pieces();
  const incoming = await answerOf(await serve(pieces.of(100_000)));
  let before = -1;
  // What the buffers on the way hold is made; a loop that goes on by itself would not come to rest.
  while (pieces.made !== before) {
    before = pieces.made;
    await sleep(200);
  }
  expect(before).toBeLessThan(2000);
  incoming.destroy();
});

test('an answer that cannot be made to its end breaks off', async () => {
  const incoming = await answerOf(await serve(new Pieces().of(5, 2)));
  const read = async () => {
    for await (const chunk of incoming) void chunk;
  };
  await expect(read()).rejects.toThrow('aborted');
});

test('a client that goes away ends the pieces', async () => {
  const pieces = new Pieces();
  const incoming = await answerOf(await serve(pieces.of(Number.POSITIVE_INFINITY)));
  await once(incoming, 'data');
  incoming.destroy();
  while (!pieces.ended) await sleep(5);
});

test('HEAD asks for no piece', async () => {
  const pieces = new Pieces();
  const incoming = await answerOf(await serve(pieces.of(3)), 'HEAD');
  incoming.resume();
  await once(incoming, 'end');
  expect(pieces.made).toBe(0);
});
