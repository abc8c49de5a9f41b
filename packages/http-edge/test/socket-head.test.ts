import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { duplexPair } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readSocketHead } from '../src/socket-head.ts';

const KEY = '/kms/v1/keys/0191d2f0-1111-4111-8111-111111111111/encrypt';
const PLAIN = [`POST ${KEY} HTTP/1.1`, 'host: kms', 'authorization: Bearer t', 'content-length: 2'];
const BODY = '{}';
const socket = new Socket();

/** The lines of a plain request, with one of them instead of another, or more behind them. */
function plainRequest(more: readonly string[] = [], instead: Readonly<Record<number, string>> = {}): string {
  return `${[...PLAIN.map((line, at) => instead[at] ?? line), ...more].join('\r\n')}\r\n\r\n${BODY}`;
}

function read(text: string) {
  return readSocketHead(Buffer.from(text, 'latin1'), socket);
}

describe('a request at the beginning of some bytes', () => {
  test('is read with its fields, and where its body is', () => {
    const text = plainRequest(['X-Request-Id:a b', 'ACCEPT: */*', 'connection: Keep-Alive']);
    expect(read(`${text}more`)).toEqual({
      head: {
        method: 'POST',
        url: KEY,
        headers: {
          host: 'kms',
          authorization: 'Bearer t',
          'content-length': '2',
          'x-request-id': 'a b',
          accept: '*/*',
          connection: 'Keep-Alive',
        },
        socket,
      },
      bodyAt: text.length - BODY.length,
      end: text.length,
    });
  });

  test.each(['host', 'Host', 'HOST', 'hOST'])('has a field once, whatever its spelling: %s', (name) => {
    expect(read(plainRequest([], { 1: `${name}: kms` }))?.head.headers).toMatchObject({ host: 'kms' });
    expect(read(plainRequest([`${name}: kms`]))).toBeUndefined();
    expect(read(plainRequest([`X-What: 1`, `x-wHat: 1`]))).toBeUndefined();
  });

  test('is read when its body has not come whole, and not before its head has', () => {
    const text = plainRequest();
    const bodyAt = text.length - BODY.length;
    for (let length = 0; length <= text.length; length += 1)
      expect(read(text.slice(0, length))?.end, String(length)).toBe(length < bodyAt ? undefined : text.length);
  });

  test('is read up to a head of 4 KiB', () => {
    const filled = (bytes: number) => {
      const empty = plainRequest(['x-what: ']).length - BODY.length;
      return plainRequest([`x-what: ${'x'.repeat(bytes - empty)}`]);
    };
    expect(read(filled(4096))?.bodyAt).toBe(4096);
    expect(read(filled(4097))).toBeUndefined();
  });

  test.each([
    ...[
      'POST /kms/v1/x HTTP/1.0',
      'POST /kms/v1/x HTTP/1.1 ',
      'POST  /kms/v1/x HTTP/1.1',
      'POST /kms/v1/x  HTTP/1.1',
      'POST\t/kms/v1/x HTTP/1.1',
      ' POST /kms/v1/x HTTP/1.1',
      '\r\nPOST /kms/v1/x HTTP/1.1',
      'post /kms/v1/x HTTP/1.1',
      'GET /kms/v1/x HTTP/1.1',
      'POST /kms/v1/x',
      'POST kms/v1/x HTTP/1.1',
      'POST http://kms/v1/x HTTP/1.1',
      'POST /kms/v1/x?y HTTP/1.1',
      'POST /kms/v1/x#y HTTP/1.1',
      'POST /kms/../x HTTP/1.1',
      'POST /kms/%78 HTTP/1.1',
      'POST /kms/\u00e9 HTTP/1.1',
      'POST /kms/v1/x HTTP/1.1\n',
    ].map((line) => [JSON.stringify(line), plainRequest([], { 0: line })]),
    ...[
      'content-length: 2',
      'Content-Length: 3',
      'host: other',
      'authorization: Bearer other',
      'connection: close',
      'connection: upgrade',
      'connection: keep-alive, x-what',
      'transfer-encoding: chunked',
      'Transfer-Encoding: identity',
      'te: trailers',
      'trailer: x-what',
      'expect: 100-continue',
      'upgrade: h2c',
      'keep-alive: timeout=1',
      'proxy-connection: close',
      'content-encoding: gzip',
      'cookie: a=b',
      'unheard-of: yes',
      'x-what:',
      'x-what: ',
      'x-what:  two spaces',
      'x-what:\ttab',
      'x-what: space ',
      'x-what: a\tb',
      'x-what : v',
      ' x-what: v',
      'x-what: a\r\n b',
      'x-what: a\nx-more: b',
      'x-what: a\rb',
      'x-what: a\u0000b',
      'x-what: \u00e9',
      'x_what: v',
      'x-what',
      ': v',
    ].map((line) => [JSON.stringify(line), plainRequest([line])]),
    ...['+2', '02', '2,2', '2 2', '-2', '0x2', '2.0', '1e1', '', ' 2', '2 ', '12345678'].map((length) => [
      `a length of "${length}"`,
      plainRequest([], { 3: `content-length: ${length}` }),
    ]),
    ['no host', plainRequest([], { 1: 'x-what: v' })],
    ['no length', plainRequest([], { 3: 'x-what: v' })],
    ['lines that end in LF', plainRequest().replaceAll('\r\n', '\n')],
    ['one line that ends in LF', plainRequest().replace('kms\r\n', 'kms\n')],
    ['one line that ends in CR', plainRequest().replace('kms\r\n', 'kms\r')],
    ['a line that ends in CR CR LF', plainRequest().replace('kms\r\n', 'kms\r\r\n')],
    ['65 fields', plainRequest(Array.from({ length: 62 }, (_, at) => `x-${at}: v`))],
  ])('is left to node:http with %s', (_what, text) => {
    expect(read(text)).toBeUndefined();
  });
});

/** What `node:http` makes of some bytes: the requests that it sees, and how many bytes their bodies have together. */
async function asNodeReads(
  bytes: Buffer,
): Promise<{ readonly requests: readonly IncomingMessage[]; readonly body: number }> {
  const requests: IncomingMessage[] = [];
  let body = 0;
  const server = createServer((incoming, outgoing) => {
    requests.push(incoming);
    incoming.on('data', (chunk: Buffer) => {
      body += chunk.length;
    });
    incoming.on('end', () => outgoing.end());
  });
  server.on('clientError', (_error, broken) => broken.destroy());
  const [client, accepted] = duplexPair();
  server.emit('connection', accepted);
  client.on('error', () => undefined).resume();
  client.end(bytes);
  if (!client.destroyed) await once(client, 'close');
  return { requests, body };
}

test('what is read here is what node:http reads', async () => {
  const host = fc.constantFrom('host: kms', 'Host:kms:80');
  const length = fc.constantFrom('content-length: 2', 'Content-Length: 0', 'CONTENT-LENGTH:1');
  const others = fc.subarray(['CONNECTION: keep-alive', 'Accept:*/*', 'x-what: a "b", c=d;e', 'x-Request-ID: 1']);
  const plain = fc
    .tuple(host, length, others, fc.boolean())
    .map(([named, measured, rest, last]) => (last ? [...rest, measured, named] : [named, measured, ...rest]))
    .map((lines) => lines.map((line) => `${line}\r\n`));
  const names = ['host', 'Content-Length', 'connection', 'x-what', 'transfer-encoding', 'te', 'x', '__proto__'];
  const values = [
    'kms',
    '2',
    '02',
    '2, 2',
    'keep-alive',
    'close',
    'chunked',
    'v ',
    '',
    'a\tb',
    'a\rb',
    'a\nb',
    '\u00e9',
  ];
  const odd = fc.tuple(
    fc.constantFrom(...names),
    fc.constantFrom(': ', ':', ' :', ':  ', ':\t'),
    fc.constantFrom(...values),
    fc.constantFrom('\r\n', '\r\n', '\n', '\r', '\r\n '),
  );
  const texts = fc
    .record({
      first: fc.constantFrom(`POST ${KEY} HTTP/1.1\r\n`, 'POST /a-b_C HTTP/1.1\r\n', 'POST /a/../b HTTP/1.1\r\n'),
      fields: plain,
      more: fc.array(odd, { maxLength: 1 }),
      end: fc.constantFrom('\r\n', '\r\n', '\r\n', '\n', ''),
    })
    .map(({ first, fields, more, end }) => `${first}${[...fields, ...more.flat()].join('')}${end}${BODY}`);
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(texts, async (text) => {
      const bytes = Buffer.from(text, 'latin1');
      const request = readSocketHead(bytes, socket);
      if (request === undefined) return;
      taken += 1;
      const { requests, body } = await asNodeReads(bytes.subarray(0, request.end));
      expect(
        requests.map(({ method, url, headers, httpVersion }) => ({
          method,
          url,
          headers: { ...headers },
          httpVersion,
        })),
      ).toEqual([{ method: 'POST', url: request.head.url, headers: request.head.headers, httpVersion: '1.1' }]);
      expect(body).toBe(request.end - request.bodyAt);
    }),
    { numRuns: 3000, seed: 1 },
  );
  expect(taken).toBeGreaterThan(200);
});
