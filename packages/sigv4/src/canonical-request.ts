import { hash } from 'node:crypto';
import type { ReceivedHeaders, RequestHead } from './received-headers.ts';

/**
 * The canonical request of Signature Version 4, from what was received and never from a parsed URL: parsers normalize.
 *
 * @param headers - Has every header that is signed.
 * @param payloadHash - SHA-256 of the body as hexadecimal digits.
 */
export function canonicalRequest(
  { method, target }: RequestHead,
  headers: ReceivedHeaders,
  signedHeaders: readonly string[],
  payloadHash: string,
): Buffer {
  const queryAt = target.indexOf('?');
  const path = queryAt === -1 ? target : target.slice(0, queryAt);
  const query = queryAt === -1 ? '' : target.slice(queryAt + 1);
  const lines = signedHeaders.map((name) => `${name}:${(headers.all(name) ?? []).map(trimmed).join(',')}\n`);
  const text = [
    method,
    canonicalPath(path),
    canonicalQuery(query),
    lines.join(''),
    signedHeaders.join(';'),
    payloadHash,
  ].join('\n');
  return Buffer.from(text, 'latin1');
}

/** What the signature is over, besides which key: the time, the scope and the hash of the canonical request. */
export function stringToSign(time: string, scope: string, canonical: Buffer): string {
  return `AWS4-HMAC-SHA256\n${time}\n${scope}\n${hash('sha256', canonical, 'hex')}`;
}

/** Without dot segments and empty ones, and each segment encoded once more than it came. */
function canonicalPath(path: string): string {
  const segments: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(encoded(segment));
  }
  const isFolder = segments.length > 0 && path.endsWith('/');
  return `/${segments.join('/')}${isFolder ? '/' : ''}`;
}

/** Decoded once, encoded in the one way, and sorted by name and value. */
function canonicalQuery(query: string): string {
  if (query === '') return '';
  const parameters = query.split('&').map((parameter): readonly [string, string] => {
    const at = parameter.indexOf('=');
    if (at === -1) return [encoded(decoded(parameter)), ''];
    return [encoded(decoded(parameter.slice(0, at))), encoded(decoded(parameter.slice(at + 1)))];
  });
  return parameters
    .toSorted(([name, value], [otherName, otherValue]) => order(name, otherName) || order(value, otherValue))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}

/** All of ASCII, so that comparing characters compares bytes. */
function order(left: string, right: string): number {
  return left < right ? -1 : Number(left > right);
}

/** Per cent escapes to bytes, one character for each; what is no escape stays. */
function decoded(text: string): string {
  return text.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}

/** All bytes but the unreserved ones of RFC 3986, section 2.3, as per cent escapes. */
function encoded(text: string): string {
  return text.replaceAll(
    /[^A-Za-z0-9\-_.~]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

/** Without blanks at the ends, and with one for each run of them within. ASCII's alone: others are bytes of a character. */
function trimmed(value: string): string {
  return value.replaceAll(/[\t\n\v\f\r ]+/g, ' ').replaceAll(/^ | $/g, '');
}
