import type { IncomingMessage } from 'node:http';
import { KmsError } from '@qnsp/kms-core';

/**
 * Reads the whole body of a request, at most `limit` bytes.
 *
 * @throws KmsError `PAYLOAD_TOO_LARGE` as soon as the limit is passed, `BAD_REQUEST` when the client goes away.
 */
export function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => collectBody(request, limit, resolve, reject));
}

/** Reads the whole body as `readBody` does, for those who want no promise: calls one of the two, once. */
export function collectBody(
  request: IncomingMessage,
  limit: number,
  done: (body: Buffer) => void,
  failed: (error: KmsError) => void,
): void {
  if (Number(request.headers['content-length'] ?? 0) > limit) {
    failed(tooLarge(limit));
    return;
  }
  if (request.destroyed) {
    failed(incomplete());
    return;
  }
  let body: Buffer | undefined;
  let more: Buffer[] | undefined;
  let bytes = 0;
  let over = false;
  const fail = (error: KmsError) => {
    if (over) return;
    over = true;
    failed(error);
  };
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > limit) fail(tooLarge(limit));
    // Nearly every body is one chunk.
    else if (body === undefined) body = chunk;
    else (more ??= [body]).push(chunk);
  });
  request.on('end', () => {
    if (over) return;
    over = true;
    done(more === undefined ? (body ?? NO_BYTES) : Buffer.concat(more));
  });
  // An error of a request that nobody listens to is not thrown; it closes the request like everything that ends it early.
  request.on('close', () => {
    if (!request.complete) fail(incomplete(request.errored));
  });
}

const NO_BYTES = Buffer.alloc(0);

function incomplete(cause?: unknown): KmsError {
  return new KmsError('BAD_REQUEST', 'The request ended before its body was complete.', { cause });
}

function tooLarge(limit: number): KmsError {
  return new KmsError(
    'PAYLOAD_TOO_LARGE',
    `The request body is larger than ${limit} bytes. Encrypt large data locally under a data key.`,
    { details: { limit } },
  );
}

/**
 * The JSON object of a body. No bytes at all are an empty object: clients send bodiless posts with a JSON content type.
 *
 * @throws KmsError `BAD_REQUEST` for anything but one JSON object in UTF-8, `UNSUPPORTED_MEDIA_TYPE` for another type.
 */
export function parseJsonObject(body: Buffer, contentType: string | undefined): Record<string, unknown> {
  if (body.length === 0) return {};
  if (contentType !== undefined && !/^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(contentType)) {
    throw new KmsError('UNSUPPORTED_MEDIA_TYPE', 'The body must be JSON: send content-type: application/json.');
  }
  const value = parseJson(body);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw malformed('the body is not a JSON object');
  return value as Record<string, unknown>;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(utf8.decode(body));
  } catch {
    // The parser's own message quotes the input, which may hold a secret.
    throw malformed('the body is not valid JSON in UTF-8');
  }
}

function malformed(reason: string): KmsError {
  return new KmsError('BAD_REQUEST', `The request can not be read: ${reason}.`, {
    details: { issues: [{ path: '', reason }] },
  });
}
