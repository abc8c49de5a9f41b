import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { isHost, plainTarget, requestId, sendAnswer } from '@qnsp/http-edge';
import { KmsError } from '@qnsp/kms-core';
import { answerProblem, logFailure } from '@qnsp/wire-qnsp';
import type { Logs } from './logger.ts';

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

/** Refuses a request that has no route. Its connection ends, as nobody reads what else it sends. */
export function refuseRequest(logs: Logs, request: IncomingMessage, response: ServerResponse, error: KmsError): void {
  const id = requestId(request.headers['x-request-id']);
  const answer = answerProblem(error, id, false, { connection: 'close' });
  logFailure(logs, { requestId: id, status: answer.status, address: request.socket.remoteAddress }, error);
  const { socket } = request;
  response.once('finish', () => {
    if (request.complete) return;
    request.resume();
    setTimeout(() => socket.destroy(), FAREWELL_MS).unref();
  });
  sendAnswer(response, answer);
}

/**
 * What is not HTTP, or took too long to become a request, also gets the one error shape, and its connection is closed.
 */
export function refuseGarbage(logs: Logs, error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const failure = failureOf(error);
  const id = randomUUID();
  const { status, body, headers } = answerProblem(failure, id, false, { connection: 'close' });
  const address =
    'remoteAddress' in socket && typeof socket.remoteAddress === 'string' ? socket.remoteAddress : undefined;
  logFailure(logs, { requestId: id, status, address }, failure);
  const fields = Object.entries({ ...headers, 'content-length': String(Buffer.byteLength(body)) });
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`,
    // Node leaves the connection to this listener, and a client need not close its own half.
    () => setTimeout(() => socket.destroy(), FAREWELL_MS).unref(),
  );
  // Read and dropped, so that the end of the connection does not overtake the answer.
  socket.resume();
}

function failureOf({ code }: NodeJS.ErrnoException): KmsError {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new KmsError('BAD_REQUEST', 'The request took too long to arrive.');
  if (code === 'HPE_HEADER_OVERFLOW')
    return new KmsError('HEADERS_TOO_LARGE', 'The request line and the headers are larger than 16 KiB.');
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW')
    return new KmsError('PAYLOAD_TOO_LARGE', 'The extensions of a chunk are larger than 16 KiB.');
  return new KmsError('BAD_REQUEST', 'This is not a request that HTTP/1.1 allows.');
}
