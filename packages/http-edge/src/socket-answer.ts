import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Answer } from './answer.ts';

/** What a field of an answer may hold, as `node:http` has it. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** Such values that nearly every answer has. */
const USUAL_VALUES: ReadonlySet<string | undefined> = new Set(['application/json', 'no-store']);

/** How long a client is told that its connection is kept after an answer; a server keeps it a little longer. */
export const KEEP_ALIVE_MS = 65_000;
const KEPT_ALIVE = `Connection: keep-alive\r\nKeep-Alive: timeout=${KEEP_ALIVE_MS / 1000}\r\n`;

/** The time as HTTP writes it, made once a second, and of which second it is. */
let date = '';
let dateOf = 0;

/**
 * Writes an answer as `node:http` would, all of it at once.
 *
 * @param isLast whether the connection ends with it
 */
export function writeAnswer(socket: Socket, { status, headers, body }: Answer, isLast: boolean): void {
  const length = Buffer.byteLength(body);
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}\r\n${isLast ? 'connection: close\r\n' : ''}content-length: ${length}\r\n`;
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined) continue;
    if (!USUAL_VALUES.has(value) && !VALUE.test(value))
      throw new TypeError(`The field ${name} of an answer holds a character that no field may have.`);
    head += `${name}: ${value}\r\n`;
  }
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateOf) {
    dateOf = second;
    date = new Date(second * 1000).toUTCString();
  }
  head += `Date: ${date}\r\n${isLast ? '' : KEPT_ALIVE}\r\n`;
  if (length === body.length) {
    socket.write(head + body, 'latin1');
    return;
  }
  socket.cork();
  socket.write(head, 'latin1');
  socket.write(body, 'utf8');
  socket.uncork();
}
