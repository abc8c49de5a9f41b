import type { IncomingMessage } from 'node:http';
import { KmsError } from '@qnsp/kms-core';

/**
 * Reads the whole body of a request, at most `limit` bytes.
 *
 * @throws KmsError `PAYLOAD_TOO_LARGE` as soon as the limit is passed, `BAD_REQUEST` when the client goes away.
 */
export function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > limit) return Promise.reject(tooLarge(limit));
  if (request.destroyed)
    return Promise.reject(new KmsError('BAD_REQUEST', 'The request ended before its body was complete.'));
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= limit) chunks.push(chunk);
      else reject(tooLarge(limit));
    });
    request.on('end', () =>
      resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)),
    );
    request.on('error', (cause) =>
      reject(new KmsError('BAD_REQUEST', 'The request ended before its body was complete.', { cause })),
    );
    request.on('close', () => {
      if (!request.complete) reject(new KmsError('BAD_REQUEST', 'The request ended before its body was complete.'));
    });
  });
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
