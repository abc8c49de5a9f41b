import type { ServerResponse } from 'node:http';
import type { Answer } from './answer.ts';

/** Writes an answer with as little work as Node allows: fields as one list, a body of ASCII characters byte by byte. */
export function sendAnswer(outgoing: ServerResponse, { status, headers, body }: Answer): void {
  const length = Buffer.byteLength(body);
  const fields: string[] = ['content-length', String(length)];
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined) fields.push(name, value);
  }
  outgoing.writeHead(status, fields);
  outgoing.end(body, length === body.length ? 'latin1' : 'utf8');
}
