import type { IncomingMessage, ServerResponse } from 'node:http';
import type { MaybePromise } from '@qnsp/kms-core/ports';
import type { Answer } from './answer.ts';
import { collectBody } from './body.ts';
import { Call } from './call.ts';
import type { BodyRead } from './call-body.ts';
import type { CallTarget } from './call-target.ts';
import type { Dialect } from './dialect.ts';
import { dialectOf, type Dialects } from './dialects.ts';
import type { Edge } from './edge.ts';
import { requestId } from './request-facts.ts';
import type { RequestHead } from './request-head.ts';
import { sendPieces } from './send-pieces.ts';
import { serveCall, serveTarget } from './serve-call.ts';

/** Serves a request that takes the general path; its address and host are well formed. */
export type GeneralPath = (incoming: IncomingMessage, outgoing: ServerResponse) => void;

const PLAIN_HOST = /^[\w.-]+(?::\d+)?$/;

/** Answers a request whose head was read, once its body was. Never throws or rejects. */
type Responder = (body: BodyRead) => MaybePromise<Answer>;

/** What answers a request of the fast path of its dialect; `undefined` for one that takes the general path. */
export function fastResponder<Target extends CallTarget>(
  edge: Edge,
  dialect: Dialect<Target>,
  head: RequestHead,
): Responder | undefined {
  const { fastPath } = dialect;
  const target = fastPath?.targetOf(head);
  if (fastPath === undefined || target === undefined) return undefined;
  const { headers } = head;
  // A body that stays unread is read to its end by Node, so it must be a small one whose end is known.
  if (!(Number(headers['content-length']) <= fastPath.bodyBytes)) return undefined;
  if (headers.expect !== undefined || headers['content-encoding'] !== undefined) return undefined;
  if (!PLAIN_HOST.test(headers.host ?? '')) return undefined;
  return (body) =>
    serveTarget(new Call(edge, dialect, head, requestId(headers['x-request-id']), target), dialect, body);
}

/**
 * Serves a request on the fast path of its dialect, or answers `false` and leaves it as it is. The body is read first, without a
 * promise: nearly every one comes in one piece. One that does not come whole is an error of the call like any other.
 */
export function takeFastPath<Target extends CallTarget>(
  edge: Edge,
  dialect: Dialect<Target>,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): boolean {
  const { fastPath } = dialect;
  const respond = fastResponder(edge, dialect, incoming);
  if (fastPath === undefined || respond === undefined) return false;
  const answer = (body: BodyRead) => {
    const answered = respond(body);
    if (answered instanceof Promise) void answered.then((later) => sendAnswer(outgoing, later));
    else sendAnswer(outgoing, answered);
  };
  collectBody(incoming, fastPath.bodyBytes, answer, (error) => answer({ error }));
  return true;
}

/** The general path of a port that serves nothing but its dialects. */
export function generalPath(edge: Edge, dialects: Dialects): GeneralPath {
  return (incoming, outgoing) => {
    const answered = serveCall(edge, incoming, dialectOf(dialects, incoming));
    if (answered instanceof Promise) void answered.then((answer) => sendAnswer(outgoing, answer));
    else sendAnswer(outgoing, answered);
  };
}

/** Writes an answer with as little work as Node allows: fields as one list, a body of ASCII characters byte by byte. */
export function sendAnswer(outgoing: ServerResponse, { status, headers, body, rest }: Answer): void {
  if (rest !== undefined) {
    outgoing.writeHead(status, headers);
    void sendPieces(outgoing, rest);
    return;
  }
  const length = Buffer.byteLength(body);
  const fields: string[] = ['content-length', String(length)];
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined) fields.push(name, value);
  }
  outgoing.writeHead(status, fields);
  outgoing.end(body, length === body.length ? 'latin1' : 'utf8');
}
