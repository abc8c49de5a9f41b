import { connect, type Socket } from 'node:net';

const END_OF_HEAD = Buffer.from('\r\n\r\n');
const LENGTH = /\r\ncontent-length: (\d+)\r\n/i;

/** A kept-alive connection that sends requests as bytes, one at a time, and looks at an answer no more than it must. */
export interface Connection {
  /** Sends one request; `answered` is called with its status and body. */
  send(request: Buffer, answered: (status: number, body: Buffer) => void): void;
  close(): void;
}

/** @param failed hears that the connection was lost, or that what came is no answer */
export async function openConnection(port: number, failed: (error: Error) => void): Promise<Connection> {
  const socket = await connected(port);
  let received: Buffer = Buffer.alloc(0);
  let waiting: ((status: number, body: Buffer) => void) | undefined;
  socket.on('data', (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const head = received.indexOf(END_OF_HEAD);
    if (head === -1) return;
    const text = received.toString('latin1', 0, head + 2);
    const length = LENGTH.exec(text)?.[1];
    if (length === undefined) {
      failed(new Error(`an answer without a length: ${text}`));
      return;
    }
    const begin = head + END_OF_HEAD.length;
    const end = begin + Number(length);
    if (received.length < end) return;
    const body = received.subarray(begin, end);
    received = received.subarray(end);
    const answered = waiting;
    waiting = undefined;
    answered?.(Number(text.slice(9, 12)), body);
  });
  socket.on('error', failed);
  socket.on('close', () => {
    if (waiting !== undefined) failed(new Error('the connection ended before its answer'));
  });
  return {
    send: (request, answered) => {
      if (!socket.writable) {
        failed(new Error('the server closed a connection that was kept open'));
        return;
      }
      waiting = answered;
      socket.write(request);
    },
    close: () => {
      waiting = undefined;
      socket.destroy();
    },
  };
}

function connected(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
  });
}
