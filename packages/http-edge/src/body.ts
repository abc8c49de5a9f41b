import type { IncomingMessage } from 'node:http';
import { KmsError } from '@qnsp/kms-core';
import { GrowingBytes } from './growing-bytes.ts';
import { hasMoreValues } from './json-values.ts';

/** What is asked before more of a body is kept than anybody may send. */
export interface LargeBody {
  /** How many bytes are kept without asking. */
  readonly above: number;
  /** Throws for callers who may not send more. */
  admit(): Promise<void>;
}

const goAheads = new WeakMap<IncomingMessage, () => void>();

/** Remembers that the client of a request waits to be told that it may send the body, and how to tell it. */
export function awaitsGoAhead(request: IncomingMessage, goAhead: () => void): void {
  goAheads.set(request, goAhead);
}

/** Has what is read in place of a request tell the client of that to go ahead. */
export function sharesGoAhead(inPlace: IncomingMessage, request: IncomingMessage): void {
  const goAhead = goAheads.get(request);
  if (goAhead !== undefined) goAheads.set(inPlace, goAhead);
}

/**
 * Reads the whole body of a request, at most `limit` bytes.
 *
 * @throws KmsError `PAYLOAD_TOO_LARGE` as soon as the limit is passed, `BAD_REQUEST` when the client goes away, or what
 *   `large` throws.
 */
export async function readBody(request: IncomingMessage, limit: number, large?: LargeBody): Promise<Buffer> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > limit) throw tooLarge(limit);
  const asksFirst = large !== undefined && declared > large.above;
  if (asksFirst) await large.admit();
  goAheads.get(request)?.();
  return new Promise((resolve, reject) => {
    collectBody(request, limit, resolve, reject, asksFirst ? undefined : large);
  });
}

/** Reads the whole body as `readBody` does, for those who want no promise: calls one of the two, once. */
export function collectBody(
  request: IncomingMessage,
  limit: number,
  done: (body: Buffer) => void,
  failed: (error: unknown) => void,
  large?: LargeBody,
): void {
  if (request.destroyed) {
    failed(incomplete());
    return;
  }
  let body: Buffer | undefined;
  let more: GrowingBytes | undefined;
  let bytes = 0;
  let pieces = 0;
  let over = false;
  let asks = large;
  const fail = (error: unknown) => {
    if (over) return;
    over = true;
    body = more = undefined;
    failed(error);
  };
  request.on('data', (chunk: Buffer) => {
    if (over) return;
    bytes += chunk.length;
    pieces += 1;
    if (bytes > limit) fail(tooLarge(limit));
    else if (pieces > MOST_PIECES) fail(inPieces());
    // Nearly every body is one chunk.
    else if (body === undefined) body = chunk;
    else {
      if (more === undefined) {
        more = new GrowingBytes();
        more.add(body);
      }
      more.add(chunk);
    }
    if (asks === undefined || bytes <= asks.above) return;
    const asked = asks;
    asks = undefined;
    request.pause();
    const goOn = () => request.resume();
    void asked.admit().catch(fail).then(goOn);
  });
  // An error of a request that nobody listens to is not thrown; it closes the request like everything that ends it early.
  const closed = () => {
    if (!request.complete) fail(incomplete(request.errored));
  };
  request.on('close', closed);
  request.on('end', () => {
    request.off('close', closed);
    if (over) return;
    over = true;
    done(more?.take() ?? body ?? NO_BYTES);
  });
}

const NO_BYTES = Buffer.alloc(0);

function incomplete(cause?: unknown): KmsError {
  return new KmsError('BAD_REQUEST', 'The request ended before its body was complete.', { cause });
}

/** Each piece costs the parser of HTTP a few microseconds, however small it is. The largest body fits in pieces of 64 bytes. */
const MOST_PIECES = 150_000;

function inPieces(): KmsError {
  return new KmsError('BAD_REQUEST', `The body arrives in more than ${MOST_PIECES} pieces. Send larger chunks.`);
}

function tooLarge(limit: number): KmsError {
  return new KmsError(
    'PAYLOAD_TOO_LARGE',
    `The request body is larger than ${limit} bytes. Encrypt large data locally under a data key.`,
    { details: { limit } },
  );
}

/** A parsed value takes up to a hundred times its bytes, so the values of a large body are counted before it is parsed. */
const COUNTED_FROM = 128 * 1024;
/** A batch of 1,000 items with a context of 64 entries each has fewer. */
const MOST_VALUES = 150_000;

const JSON_TYPE = 'application/json';
const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * The JSON object of a body. No bytes at all are an empty object: clients send bodiless posts with a JSON content type.
 *
 * @throws KmsError `BAD_REQUEST` for anything but one JSON object in UTF-8, `UNSUPPORTED_MEDIA_TYPE` for another type.
 */
export function parseJsonObject(body: Buffer, contentType: string | undefined): Record<string, unknown> {
  if (body.length === 0) return {};
  if (
    contentType !== undefined &&
    contentType !== JSON_TYPE &&
    !/^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(contentType)
  ) {
    throw new KmsError('UNSUPPORTED_MEDIA_TYPE', 'The body must be JSON: send content-type: application/json.');
  }
  if (body.length > COUNTED_FROM && hasMoreValues(body, MOST_VALUES))
    throw malformed(`the body has more than ${MOST_VALUES} values`);
  let value: unknown;
  try {
    value = JSON.parse(utf8.decode(body));
  } catch {
    // The parser's own message quotes the input, which may hold a secret.
    throw malformed('the body is not valid JSON in UTF-8');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw malformed('the body is not a JSON object');
  return value as Record<string, unknown>;
}

/** Throws `UNSUPPORTED_MEDIA_TYPE` for a body that is compressed or otherwise encoded: none is decoded here. */
export function requireIdentity(contentEncoding: string | undefined): void {
  if (contentEncoding === undefined || /^(?:identity)?$/i.test(contentEncoding.trim())) return;
  throw new KmsError('UNSUPPORTED_MEDIA_TYPE', 'The body must not be compressed: send it without content-encoding.');
}

function malformed(reason: string): KmsError {
  return new KmsError('BAD_REQUEST', `The request cannot be read: ${reason}.`, {
    details: { issues: [{ path: '', reason }] },
  });
}
