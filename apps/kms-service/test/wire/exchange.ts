import { connect, type Socket } from 'node:net';

/** Sends bytes as they are, reads until the other side closes, and answers what came and how long it took. */
export function exchange(
  port: number,
  bytes: string | Buffer,
  then?: (socket: Socket) => void,
): Promise<{ readonly text: string; readonly ms: number }> {
  return new Promise((resolve, reject) => {
    const begun = performance.now();
    let text = '';
    const socket = connect({ port, host: '127.0.0.1' }, () => {
      socket.write(bytes);
      then?.(socket);
    });
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
