import { connect, type Socket } from 'node:net';

const END_OF_HEAD = Buffer.from('\r\n\r\n');
const LENGTH = /\r\ncontent-length: (\d+)\r\n/i;
const CHUNKED = /\r\ntransfer-encoding: chunked\r\n/i;
const WITHOUT_BODY = /^HTTP\/1\.1 204 /;

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** A kept-alive connection that sends requests as bytes, one at a time, and looks at an answer no more than it must. */
export interface Connection {
  /** Sends one request; `answered` is called with its status and body. */
  send(request: Buffer, answered: (status: number, body: Buffer) => void): void;
  close(): void;
}

/** @param failed hears that the connection was lost, or that what came is no answer */
export async function openConnection(address: Address, failed: (error: Error) => void): Promise<Connection> {
  const socket = await connected(address);
  let received: Buffer = Buffer.alloc(0);
  let waiting: ((status: number, body: Buffer) => void) | undefined;
  socket.on('data', (chunk: Buffer) => {
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const head = received.indexOf(END_OF_HEAD);
    if (head === -1) return;
    const text = received.toString('latin1', 0, head + 2);
    const begin = head + END_OF_HEAD.length;
    const body = bodyIn(text, received.subarray(begin));
    if (body === undefined) {
      failed(new Error(`an answer without a length: ${text}`));
      return;
    }
    if (body === 'not all of it') return;
    received = received.subarray(begin + body.takes);
    const answered = waiting;
    waiting = undefined;
    answered?.(Number(text.slice(9, 12)), body.bytes);
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

interface Body {
  readonly bytes: Buffer;
  /** How many bytes of the connection it takes. */
  readonly takes: number;
}

/** The body of an answer; `undefined` for one that does not say how long it is. */
function bodyIn(head: string, rest: Buffer): Body | 'not all of it' | undefined {
  const length = WITHOUT_BODY.test(head) ? '0' : LENGTH.exec(head)?.[1];
  if (length !== undefined) {
    const takes = Number(length);
    return rest.length < takes ? 'not all of it' : { bytes: rest.subarray(0, takes), takes };
  }
  return CHUNKED.test(head) ? chunksIn(rest) : undefined;
}

/** RFC 9112, 7.1. What else its grammar allows, servers do not send unasked. */
function chunksIn(rest: Buffer): Body | 'not all of it' {
  const chunks: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = rest.indexOf('\r\n', at);
    if (lineEnd === -1) return 'not all of it';
    const size = Number.parseInt(rest.toString('latin1', at, lineEnd), 16);
    const begin = lineEnd + 2;
    at = begin + size + 2;
    if (rest.length < at) return 'not all of it';
    if (size === 0) return { bytes: Buffer.concat(chunks), takes: at };
    chunks.push(rest.subarray(begin, begin + size));
  }
}

function connected({ host, port }: Address): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host, noDelay: true });
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
  });
}
