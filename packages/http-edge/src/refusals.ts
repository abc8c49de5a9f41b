import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { KmsError } from '@qnsp/kms-core';
import type { Answer } from './answer.ts';
import type { Dialect } from './dialect.ts';
import type { Edge } from './edge.ts';
import { failureOf } from './failure.ts';
import { logFailure } from './log-failure.ts';
import { requestId } from './request-facts.ts';
import { isHost, plainTarget } from './request-target.ts';
import { sendAnswer } from './serve-request.ts';

/** For this long, the rest of a refused request is read and dropped: if closed at once, its answer might not arrive. */
const FAREWELL_MS = 500;

/**
 * What is wrong with a request before anybody looks for its route, or `undefined`. A request that is right leaves here with
 * its target as path and query, and with a host: nothing depends on the name that a client knows the service by.
 */
export function refusalOf(request: IncomingMessage): KmsError | undefined {
  const { host } = request.headers;
  if (host === undefined && request.httpVersionMajor === 1 && request.httpVersionMinor >= 1)
    return new KmsError('BAD_REQUEST', 'The request has no Host header, which HTTP/1.1 requires.');
  if (!isHost(host ?? '')) return new KmsError('BAD_REQUEST', 'The Host header is not a host.');
  const target = plainTarget(request.url ?? '');
  if (target === undefined)
    return new KmsError(
      'BAD_REQUEST',
      'The path of the request must be spelt plainly: without empty segments, dot segments, backslashes and needless percent-encoding.',
    );
  request.url = target;
  request.headers.host = 'localhost';
  return undefined;
}

/** Refuses a request before anybody looks what it asks for. Its connection ends, as nobody reads what else it sends. */
export function refuseRequest(
  { logs }: Pick<Edge, 'logs'>,
  dialect: Dialect,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  error: KmsError,
): void {
  const id = requestId(incoming.headers['x-request-id']);
  const answer = lastAnswer(dialect.problem(failureOf(error), { requestId: id, incoming }));
  const { socket } = incoming;
  const { status } = answer;
  logFailure(logs, { requestId: id, wire: dialect.name, status, address: socket.remoteAddress }, error);
  outgoing.once('finish', () => {
    if (incoming.complete) return;
    incoming.resume();
    setTimeout(() => socket.destroy(), FAREWELL_MS).unref();
  });
  sendAnswer(outgoing, answer);
}

/** The dialect that a connection speaks. */
export interface Spoken {
  readonly dialect: Dialect;
  /** Whether it is taken for granted: the connection has not said anything that would tell it from the others. */
  readonly isGuess: boolean;
}

/**
 * What is not HTTP, or took too long to become it, gets the error shape of the dialect that its connection speaks, or where nobody knows
 * which that is the bare status, and its connection ends.
 */
export function refuseGarbage(
  { logs }: Pick<Edge, 'logs'>,
  { dialect, isGuess }: Spoken,
  error: NodeJS.ErrnoException,
  socket: Duplex,
): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const failure = garbageOf(error);
  const id = randomUUID();
  const problem = dialect.problem(failureOf(failure), { requestId: id });
  const { status, body, headers } = lastAnswer(
    isGuess ? { ...problem, headers: { 'x-request-id': id }, body: '' } : problem,
  );
  const address =
    'remoteAddress' in socket && typeof socket.remoteAddress === 'string' ? socket.remoteAddress : undefined;
  logFailure(logs, { requestId: id, wire: isGuess ? undefined : dialect.name, status, address }, failure);
  const fields = Object.entries({ ...headers, 'content-length': String(Buffer.byteLength(body)) });
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`,
    // Node leaves the connection to this listener, and a client need not close its own half.
    () => setTimeout(() => socket.destroy(), FAREWELL_MS).unref(),
  );
  // Read and dropped, so that the end of the connection does not overtake the answer.
  socket.resume();
}

function lastAnswer(answer: Answer): Answer {
  return { ...answer, headers: { ...answer.headers, connection: 'close' } };
}

function garbageOf({ code }: NodeJS.ErrnoException): KmsError {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new KmsError('BAD_REQUEST', 'The request took too long to arrive.');
  if (code === 'HPE_HEADER_OVERFLOW')
    return new KmsError('HEADERS_TOO_LARGE', 'The request line and the headers are larger than 16 KiB.');
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW')
    return new KmsError('PAYLOAD_TOO_LARGE', 'The extensions of a chunk are larger than 16 KiB.');
  return new KmsError('BAD_REQUEST', 'This is not a request that HTTP/1.1 allows.');
}
