import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Agent } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { goneSignal } from '../src/gone-client.ts';

/** A server that keeps every request waiting until it is answered here. */
const server = createServer((incoming, outgoing) =>
  arrived.shift()?.({ incoming, answer: () => outgoing.end('done') }),
);
const arrived: ((call: { incoming: IncomingMessage; answer: () => void }) => void)[] = [];

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

async function send(agent: Agent | false = false) {
  const here = new Promise<{ incoming: IncomingMessage; answer: () => void }>((resolve) => arrived.push(resolve));
  const sent = request({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', agent });
  sent.on('error', () => undefined);
  sent.end();
  return { sent, ...(await here) };
}

describe('the signal of a client', () => {
  it('is aborted when the client closes the connection before the answer', async () => {
    const { sent, incoming } = await send();
    const signal = goneSignal(incoming.socket);
    expect(signal.aborted).toBe(false);
    sent.destroy();
    await once(signal, 'abort');
    expect(signal.reason).toMatchObject({ code: 'BAD_REQUEST', message: expect.stringContaining('closed') });
  });

  it('is aborted from the start where that has happened already', async () => {
    const { sent, incoming } = await send();
    sent.destroy();
    await once(incoming.socket, 'close');
    expect(goneSignal(incoming.socket).aborted).toBe(true);
  });

  it('is one for all requests of a connection, and is not aborted by an answer', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const first = await send(agent);
    const signal = goneSignal(first.incoming.socket);
    const listeners = first.incoming.socket.listenerCount('close');
    first.answer();
    const [answer] = (await once(first.sent, 'response')) as [IncomingMessage];
    answer.resume();
    await once(answer, 'end');
    const second = await send(agent);
    expect(goneSignal(second.incoming.socket)).toBe(signal);
    expect(second.incoming.socket.listenerCount('close')).toBe(listeners);
    expect(signal.aborted).toBe(false);
    second.answer();
    agent.destroy();
    await once(signal, 'abort');
  });
});
