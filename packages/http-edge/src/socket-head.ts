import { maxHeaderSize } from 'node:http';
import type { Socket } from 'node:net';
import type { RequestHead } from './request-head.ts';

/** A request at the beginning of some bytes: its head, and where its body begins and ends, which may be past those bytes. */
export interface SocketRequest {
  readonly head: RequestHead;
  readonly bodyAt: number;
  readonly end: number;
}

const END_OF_HEAD = Buffer.from('\r\n\r\n');
const MOST_HEAD_BYTES = Math.min(4096, maxHeaderSize);

/**
 * The form of a head, up to its empty line: one spelling of what RFC 9112 allows. Lines end in CRLF. A name is followed by a colon and at most
 * one space, a value is of printable ASCII characters and neither empty nor between spaces.
 */
const HEAD =
  /^POST (\/[\w/-]+) HTTP\/1\.1\r\n((?:[A-Za-z\d-]{1,64}: ?[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?\r\n){1,64})$/;
const LENGTH = /^(?:0|[1-9]\d{0,6})$/;

/**
 * The fields that a request may have here, beside those whose names begin with `x-`: none of them says how the message is to be read but
 * `content-length` and `connection`, whose values are looked at.
 */
const KNOWN_FIELDS = [
  'accept',
  'accept-encoding',
  'accept-language',
  'authorization',
  'baggage',
  'cache-control',
  'connection',
  'content-length',
  'content-type',
  'forwarded',
  'host',
  'idempotency-key',
  'if-match',
  'origin',
  'pragma',
  'priority',
  'referer',
  'sec-fetch-dest',
  'sec-fetch-mode',
  'sec-fetch-site',
  'traceparent',
  'tracestate',
  'user-agent',
  'via',
];
const EXTENSION = 'x-';

/** A field by its name in its two usual spellings, and the bit that says that it came already. */
interface KnownField {
  readonly name: string;
  readonly capital: string;
  readonly bit: number;
}

const BY_NAME: ReadonlyMap<string, KnownField> = new Map(
  // With that extension which many clients send.
  [...KNOWN_FIELDS, 'x-request-id'].map((name, index) => [
    name,
    { name, capital: name.replaceAll(/\b[a-z]/g, (letter) => letter.toUpperCase()), bit: 1 << index },
  ]),
);
/** They by the length of their names: the few of one length are compared in place, where a map would have to hash a new string first. */
const BY_LENGTH: ReadonlyMap<number, readonly KnownField[]> = Map.groupBy(BY_NAME.values(), ({ name }) => name.length);
const NO_FIELDS: readonly KnownField[] = [];

/**
 * Reads the head of a request of the one form that is understood here, and understands nothing else: `undefined` for whatever is spelt in
 * another way, has a field that is not known or comes twice, says something of its transfer but its length, or is not whole yet.
 */
export function readSocketHead(bytes: Buffer, socket: Socket): SocketRequest | undefined {
  const headEnd = bytes.indexOf(END_OF_HEAD);
  if (headEnd === -1 || headEnd > MOST_HEAD_BYTES - END_OF_HEAD.length) return undefined;
  const [, url, lines] = HEAD.exec(bytes.toString('latin1', 0, headEnd + 2)) ?? [];
  if (url === undefined || lines === undefined) return undefined;
  const headers: Record<string, string> = {};
  let seen = 0;
  for (let at = 0; at < lines.length; ) {
    const colon = lines.indexOf(':', at);
    const end = lines.indexOf('\r\n', colon);
    let known: KnownField | undefined;
    for (const field of BY_LENGTH.get(colon - at) ?? NO_FIELDS) {
      if (!lines.startsWith(field.name, at) && !lines.startsWith(field.capital, at)) continue;
      known = field;
      break;
    }
    const name = known?.name ?? lines.slice(at, colon).toLowerCase();
    known ??= BY_NAME.get(name);
    // A field that is given twice may be one list or two opinions.
    if (known === undefined ? !name.startsWith(EXTENSION) || headers[name] !== undefined : (seen & known.bit) !== 0)
      return undefined;
    if (known !== undefined) seen |= known.bit;
    headers[name] = lines.slice(lines[colon + 1] === ' ' ? colon + 2 : colon + 1, end);
    at = end + 2;
  }
  const { host, connection, 'content-length': length } = headers;
  if (host === undefined || length === undefined || !LENGTH.test(length)) return undefined;
  if (connection !== undefined && connection.toLowerCase() !== 'keep-alive') return undefined;
  const bodyAt = headEnd + END_OF_HEAD.length;
  return { head: { method: 'POST', url, headers, socket }, bodyAt, end: bodyAt + Number(length) };
}
