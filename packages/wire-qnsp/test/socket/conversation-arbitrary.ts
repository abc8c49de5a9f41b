import fc from 'fast-check';
import type { Conversation } from './two-ways.ts';

/** What the conversations are about. */
export interface Subject {
  readonly token: string;
  readonly keyId: string;
  /** What the key has sealed. */
  readonly ciphertext: string;
}

/** A request before it is spelt: its line, its fields with what stands between name and value, its body and what ends its lines. */
interface Draft {
  line: string;
  fields: [name: string, separator: string, value: string][];
  body: string;
  lineEnd: string;
}

type Change = (draft: Draft) => void;

const add =
  (name: string, value: string, separator = ': '): Change =>
  ({ fields }) => {
    fields.push([name, separator, value]);
  };
const change =
  (name: string, to: (value: string) => string): Change =>
  ({ fields }) => {
    for (const field of fields) if (field[0] === name) field[2] = to(field[2]);
  };
const respell =
  (name: string, as: string, separator = ': '): Change =>
  ({ fields }) => {
    for (const field of fields)
      if (field[0] === name) {
        field[0] = as;
        field[1] = separator;
      }
  };
const remove =
  (name: string): Change =>
  (draft) => {
    draft.fields = draft.fields.filter(([each]) => each !== name);
  };
const line =
  (to: (before: string) => string): Change =>
  (draft) => {
    draft.line = to(draft.line);
  };
const chunked: Change = (draft) => {
  draft.body = `${draft.body.length.toString(16)}\r\n${draft.body}\r\n0\r\n\r\n`;
};

/** What makes a request another one, or one that two readers may understand in two ways. */
const CHANGES: readonly Change[] = [
  // Lengths.
  ...[
    '+$',
    ' $',
    '0$',
    '$,$',
    '$, $',
    '$ $',
    '$;',
    '-1',
    '0x$',
    '$.0',
    '1e1',
    '',
    '99999999999999999999',
    '200000',
    '0',
  ].map((form) => change('content-length', (value) => form.replaceAll('$', value))),
  ...[-1, 1, 7].map((by) => change('content-length', (value) => String(Number(value) + by))),
  add('content-length', '0'),
  add('Content-Length', '3'),
  ({ fields, body }) => void fields.push(['content-length', ': ', String(body.length)]),
  remove('content-length'),
  respell('content-length', 'Content-Length '),
  respell('content-length', ' content-length'),
  respell('content-length', 'content_length'),
  respell('content-length', 'content-length\t'),
  respell('content-length', 'CONTENT-LENGTH', ':'),
  respell('content-length', 'content-length', ':   '),
  respell('content-length', 'content-length', ':\t'),
  respell('content-length', 'content-length', ' : '),
  respell('content-length', 'content-length', ':\r\n '),
  respell('content-length', 'content-length', ''),
  // Transfers.
  ...[
    'chunked',
    'Chunked',
    ' chunked',
    'chunked ',
    'xchunked',
    'identity',
    'gzip, chunked',
    'chunked, chunked',
    '"chunked"',
    '\u000bchunked',
  ].flatMap((value) => [
    add('transfer-encoding', value),
    (draft: Draft) => {
      add('transfer-encoding', value)(draft);
      remove('content-length')(draft);
      chunked(draft);
    },
  ]),
  add('transfer_encoding', 'chunked'),
  add('Transfer-Encoding ', 'chunked'),
  add('te', 'trailers'),
  add('trailer', 'x-more'),
  ...['100-continue', 'a-wonder', ''].map((value) => add('expect', value)),
  ...['keep-alive', 'Keep-Alive', 'close', 'upgrade', 'keep-alive, close', 'x-request-id', 'te', ''].map((value) =>
    add('connection', value),
  ),
  add('proxy-connection', 'close'),
  add('keep-alive', 'timeout=1'),
  add('upgrade', 'h2c'),
  (draft) => {
    add('connection', 'upgrade')(draft);
    add('upgrade', 'websocket')(draft);
  },
  add('http2-settings', 'AAMAAABkAAQAAP__'),
  // Fields that are read, spelt otherwise or twice.
  ...['gzip', 'identity', ''].map((value) => add('content-encoding', value)),
  ...['a', 'fuzz-2', 'with space', '\u00e9', 'x'.repeat(200)].map((value) => add('x-request-id', value)),
  add('host', 'other'),
  add('authorization', 'Bearer nobody'),
  remove('authorization'),
  remove('host'),
  ...['', 'a b', 'kms:80', 'kms:x', '[::1]:8095', 'kms/..', 'k\u00e4se', 'user@kms'].map((value) =>
    change('host', () => value),
  ),
  ...['text/plain', 'application/json; charset=utf-8', ''].map((value) => change('content-type', () => value)),
  change('authorization', (value) => value.replace('Bearer ', 'bearer   ')),
  change('authorization', (value) => `${value} `),
  change('authorization', (value) => `${value}x`),
  change('authorization', () => 'Basic YTpi'),
  add('x-qnsp-tenant', 'c1f2a3b4-0000-4000-8000-000000000000'),
  add('x-forwarded-for', '203.0.113.9'),
  add('idempotency-key', 'once'),
  add('cookie', 'a=b'),
  add('unheard-of', 'yes'),
  add('__proto__', 'x'),
  add('constructor', 'x'),
  ...[
    '',
    ' ',
    '\t',
    'a\tb',
    'a\u0000b',
    'a\rb',
    'a\nb',
    'a\u007fb',
    'a\u0080b',
    'a\r\n b',
    'a\r\n\tb',
    'x'.repeat(3700),
    'x'.repeat(17_000),
  ].map((value) => add('x-what', value)),
  ...['', ':', 'x y', 'x(', 'x\u0000', 'x\u00e9', '@'].map((name) => add(name, 'v')),
  ({ fields }) => {
    for (let at = 0; at < 70; at += 1) fields.push([`x-${at}`, ':', 'v']);
  },
  // Lines.
  (draft) => void (draft.fields = draft.fields.toReversed()),
  (draft) => void (draft.lineEnd = '\n'),
  (draft) => void (draft.lineEnd = '\r'),
  (draft) => void (draft.lineEnd = '\r\r\n'),
  ...[
    ['POST', 'post'],
    ['POST', 'GET'],
    ['POST', 'HEAD'],
    ['POST', 'PUT'],
    ['POST', 'CONNECT'],
    ['POST', 'PRI'],
    ['POST', 'POSTS'],
    ['POST ', 'POST  '],
    ['POST ', 'POST\t'],
    ['POST ', ' POST '],
    ['POST ', '\r\nPOST '],
    ['POST ', '\nPOST '],
    ['HTTP/1.1', 'HTTP/1.0'],
    ['HTTP/1.1', 'HTTP/1.2'],
    ['HTTP/1.1', 'HTTP/2.0'],
    ['HTTP/1.1', 'HTTP/1.1 '],
    ['HTTP/1.1', 'http/1.1'],
    ['HTTP/1.1', 'HTTP/01.1'],
    [' HTTP', '  HTTP'],
    [' HTTP/1.1', ''],
    ['/kms/', '//kms/'],
    ['/kms/', '/./kms/'],
    ['/kms/', '/kms/../kms/'],
    ['/kms/', '/%6bms/'],
    ['/kms/', '/KMS/'],
    ['/kms/', 'http://kms/kms/'],
    ['/kms/', 'kms/'],
    ['/keys/', '/keys%2f'],
    [' HTTP', '? HTTP'],
    [' HTTP', '?tenantId=x HTTP'],
    [' HTTP', '#x HTTP'],
    [' HTTP', '/ HTTP'],
    [' HTTP', '\u0000 HTTP'],
    [' HTTP', '\u00e9 HTTP'],
  ].map(([from = '', to = '']) => line((before) => before.replace(from, to))),
  // Bodies.
  (draft) => void (draft.body = `${draft.body}\r\n`),
  (draft) => void (draft.body = `${draft.body}POST / HTTP/1.1\r\nhost: x\r\n\r\n`),
  (draft) => void (draft.body = draft.body.slice(0, -1)),
];

function spell({ line: first, fields, body, lineEnd }: Draft): Buffer {
  const lines = [first, ...fields.map((field) => field.join('')), ''].map((each) => `${each}${lineEnd}`);
  return Buffer.from(`${lines.join('')}${body}`, 'latin1');
}

function request(path: string, body: string, { token }: Subject, more: readonly [string, string][] = []): Draft {
  const fields: readonly [string, string][] = [
    ['host', 'kms'],
    ['authorization', `Bearer ${token}`],
    ['content-type', 'application/json'],
    ['x-request-id', 'fuzz-1'],
    ...more,
    ['content-length', String(Buffer.byteLength(body, 'latin1'))],
  ];
  return {
    line: `POST ${path} HTTP/1.1`,
    fields: fields.map(([name, value]) => [name, ': ', value]),
    body,
    lineEnd: '\r\n',
  };
}

/** Requests that are read past `node:http`, and some that never are. */
function drafts(subject: Subject): fc.Arbitrary<Draft> {
  const { keyId, ciphertext } = subject;
  const to = (operation: string) => `/kms/v1/keys/${keyId}/${operation}`;
  const plaintext = (bytes: number) => JSON.stringify({ plaintext: Buffer.alloc(bytes, 7).toString('base64') });
  const made: readonly (() => Draft)[] = [
    () => request(to('encrypt'), plaintext(32), subject),
    () =>
      request(to('encrypt'), plaintext(1), subject, [
        ['user-agent', 'fuzz'],
        ['accept', '*/*'],
        ['connection', 'keep-alive'],
      ]),
    () => request(to('decrypt'), JSON.stringify({ ciphertext }), subject),
    () => request(to('encrypt'), plaintext(20_000), subject),
    () => request(to('encrypt'), plaintext(65_536), subject),
    () => request(to('encrypt'), '', subject),
    () => request(to('encrypt'), '{', subject),
    () => request(to('encrypt'), '{"plaintext":"\u00e9"}', subject),
    () => request(to('encrypt'), JSON.stringify({ items: [{ plaintext: 'AA==' }, { plaintext: '?' }] }), subject),
    () => request(to('sign'), JSON.stringify({ data: 'AA==' }), subject),
    () => request(to('no-such-thing'), '{}', subject),
    () => request('/kms/v1/keys/11111111-1111-4111-8111-111111111111/encrypt', plaintext(1), subject),
    () => request('/kms/v1/none', '{}', subject),
    () => ({ ...request('/healthz', '', subject), line: 'GET /healthz HTTP/1.1' }),
  ];
  return fc
    .oneof(
      { weight: 3, arbitrary: fc.constantFrom(...made.slice(0, 3)) },
      { weight: 1, arbitrary: fc.constantFrom(...made) },
    )
    .map((make) => make());
}

/** A change of some bytes, wherever they are. */
type Damage = { readonly at: number; readonly drop: number; readonly insert: string };

/**
 * Conversations of a few requests, of which most are plain ones, as whole or cut into pieces anywhere. What fails is shrunk to the fewest
 * requests, changes and pieces.
 */
export function conversations(subject: Subject): fc.Arbitrary<Conversation> {
  const changes = fc.oneof(
    { weight: 7, arbitrary: fc.constant<number[]>([]) },
    { weight: 4, arbitrary: fc.array(fc.nat(CHANGES.length - 1), { minLength: 1, maxLength: 1 }) },
    { weight: 1, arbitrary: fc.array(fc.nat(CHANGES.length - 1), { minLength: 2, maxLength: 3 }) },
  );
  const damage: fc.Arbitrary<Damage> = fc.record({
    at: fc.nat(100_000),
    drop: fc.nat(3),
    insert: fc.constantFrom(
      '',
      ' ',
      '\t',
      '\r',
      '\n',
      '\r\n',
      '\r\n\r\n',
      ':',
      ',',
      '0',
      'A',
      '\u0000',
      '\u00ff',
      'chunked',
    ),
  });
  const damages = fc.oneof(
    { weight: 7, arbitrary: fc.constant<Damage[]>([]) },
    { weight: 1, arbitrary: fc.array(damage, { minLength: 1, maxLength: 2 }) },
  );
  const message = fc
    .record({ draft: drafts(subject), changes, damages })
    .map(({ draft, changes: chosen, damages: done }) => {
      for (const each of chosen) CHANGES[each]?.(draft);
      let bytes = spell(draft);
      for (const { at, drop, insert } of done) {
        const from = at % (bytes.length + 1);
        bytes = Buffer.concat([bytes.subarray(0, from), Buffer.from(insert, 'latin1'), bytes.subarray(from + drop)]);
      }
      return bytes;
    });
  /** Where a message is cut, as shares of its length; and whether the next one comes with its end. */
  const cuts = fc.oneof(
    { weight: 5, arbitrary: fc.constant<number[]>([]) },
    { weight: 3, arbitrary: fc.array(fc.nat(9999), { minLength: 1, maxLength: 3 }) },
  );
  const sent = fc.record({
    bytes: message,
    cuts,
    joined: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, fc.boolean()),
  });
  return fc
    .record({ messages: fc.array(sent, { minLength: 1, maxLength: 4 }), ends: fc.boolean() })
    .map(({ messages, ends }) => ({ pieces: pieces(messages), ends }));
}

function pieces(
  messages: readonly { readonly bytes: Buffer; readonly cuts: readonly number[]; readonly joined: boolean }[],
): readonly Buffer[] {
  const cut: Buffer[] = [];
  let begun = Buffer.alloc(0);
  for (const { bytes, cuts, joined } of messages) {
    const places = cuts.map((share) => Math.floor((share * bytes.length) / 10_000)).sort((one, other) => one - other);
    let from = 0;
    for (const place of places) {
      if (place === from) continue;
      cut.push(Buffer.concat([begun, bytes.subarray(from, place)]));
      begun = Buffer.alloc(0);
      from = place;
    }
    begun = Buffer.concat([begun, bytes.subarray(from)]);
    if (joined) continue;
    cut.push(begun);
    begun = Buffer.alloc(0);
  }
  if (begun.length > 0) cut.push(begun);
  return cut.filter((piece) => piece.length > 0);
}
