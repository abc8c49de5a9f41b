import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

let server: Server;
let proxy: TcpProxy;

beforeEach(async () => {
  // Sends back what it gets.
  server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  proxy = await startTcpProxy(typeof address === 'object' && address !== null ? address.port : 0);
});
afterEach(async () => {
  await proxy.stop();
  server.close();
});

async function client(): Promise<{ socket: Socket; ask(text: string): Promise<string>; received(): string }> {
  const socket = connect({ port: proxy.port, host: '127.0.0.1' });
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('utf8');
  });
  socket.on('error', () => undefined);
  await new Promise((resolve) => {
    socket.once('connect', resolve);
  });
  return {
    socket,
    received: () => text,
    ask: async (question) => {
      const before = text.length;
      socket.write(question);
      while (text.length < before + question.length) await new Promise((resolve) => setTimeout(resolve, 2));
      return text.slice(before);
    },
  };
}

test('passes bytes on both ways', async () => {
  const { ask } = await client();
  expect(await ask('hello')).toBe('hello');
});

test('stalls only the connections picked, and loses nothing of them', async () => {
  const [one, other] = [await client(), await client()];
  await one.ask('one');
  await other.ask('other');
  proxy.stall((firstBytes) => firstBytes.includes('one'));
  one.socket.write(' more');
  expect(await other.ask(' more')).toBe(' more');
  expect(one.received()).toBe('one');
  proxy.resume();
  one.socket.write('!');
  await expect.poll(() => one.received()).toBe('one more!');
});

test('holds back answers while the server gets everything, and loses none', async () => {
  const { socket, received } = await client();
  let arrived = '';
  server.on('connection', (connection) => connection.on('data', (chunk: Buffer) => (arrived += chunk.toString())));
  proxy.stallAnswers();
  const other = await client();
  other.socket.write('other');
  await expect.poll(() => arrived).toBe('other');
  socket.write('one');
  expect([received(), other.received()]).toEqual(['', '']);
  proxy.resume();
  await expect.poll(() => [received(), other.received()]).toEqual(['one', 'other']);
});

test('delays each way', async () => {
  const { ask } = await client();
  await ask('x');
  proxy.delay(50);
  const began = performance.now();
  await ask('y');
  // A timer of Node.js may end up to a millisecond early.
  expect(performance.now() - began).toBeGreaterThanOrEqual(2 * 49);
});

test('resets the connections picked', async () => {
  const { socket, ask } = await client();
  await ask('x');
  const closed = new Promise((resolve) => {
    socket.once('close', resolve);
  });
  proxy.cut();
  await closed;
});
