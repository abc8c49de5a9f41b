import { connect, type Socket } from 'node:net';
import { connect as connectByTls } from 'node:tls';
import type { Service } from '@qnsp/test-harness';

/**
 * Sends bytes as they are, under TLS where the service speaks it, reads until the other side closes, and answers what came and how long
 * it took.
 */
export function exchange(
  { port, baseUrl }: Pick<Service, 'port' | 'baseUrl'>,
  bytes: string | Buffer,
  then?: (socket: Socket) => void,
): Promise<{ readonly text: string; readonly ms: number }> {
  return new Promise((resolve, reject) => {
    const begun = performance.now();
    let text = '';
    const address = { port, host: '127.0.0.1' };
    const send = () => {
      socket.write(bytes);
      then?.(socket);
    };
    const socket: Socket = baseUrl.startsWith('https:') ? connectByTls(address, send) : connect(address, send);
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
    socket.on('close', () => resolve({ text, ms: performance.now() - begun }));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // It was closed while something was still being sent; what came before counts.
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') reject(error);
    });
  });
}

/** The status and the JSON of the one answer that came. */
export function onlyAnswer(text: string): {
  readonly status: number;
  readonly id: string;
  readonly body: Record<string, unknown>;
} {
  const end = text.indexOf('\r\n\r\n');
  const head = text.slice(0, end);
  const body = text.slice(end + 4);
  return {
    status: Number(head.split(' ')[1]),
    id: /^x-request-id: (\S+)$/im.exec(head)?.[1] ?? '',
    body: body.startsWith('{') ? (JSON.parse(body) as Record<string, unknown>) : {},
  };
}
