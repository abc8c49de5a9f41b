import { gzipSync } from 'node:zlib';
import { ALL_ROUTES } from '@qnsp/kms-contract';
import { makeAuthority, tempDir, trustAuthority } from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type LocalService, startLocalService } from './local-service.ts';
import { exchange, onlyAnswer } from './wire/exchange.ts';

const UNKNOWN = '01890000-0000-7000-8000-00000000dead';
const directory = tempDir('qnsp-refused-');
afterAll(() => directory.remove());
const authority = makeAuthority(directory.path, 'authority');
trustAuthority(authority);
const { certificate, key } = authority.issue('kms');

describe.each([
  ['in the clear', {}],
  ['under TLS', { KMS_TLS_CERT_FILE: certificate, KMS_TLS_KEY_FILE: key }],
])('%s,', (_way, environment) => {
  let local: LocalService;
  let keyId: string;
  beforeAll(async () => {
    // With one interface, so that what is no request has its shape, too.
    local = await startLocalService({ KMS_AWS_ENABLED: 'false', ...environment });
    keyId = String((await local.call('POST', '/kms/v1/keys', {})).body['keyId']);
  });
  afterAll(() => local.end());

  const authorization = () => `authorization: Bearer ${local.apiToken}`;

  /** Sends a head as it is, with `connection: close` where nothing else ends the connection. */
  async function answerTo(lines: readonly string[], body: string | Buffer = '') {
    const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
    const { text, ms } = await exchange(local.service, Buffer.concat([head, Buffer.from(body)]));
    return { ...onlyAnswer(text), text, ms };
  }

  /** Every refusal has the one shape, its id, and a line of the log under that id. */
  async function expectRefused(answer: Awaited<ReturnType<typeof answerTo>>, status: number, code: string) {
    expect(answer).toMatchObject({ status, body: { statusCode: status, error: code, code, requestId: answer.id } });
    expect(answer.id).not.toBe('');
    await vi.waitFor(() => expect(local.service.logs()).toContain(`"requestId":"${answer.id}"`), { timeout: 20_000 });
  }

  describe('a path that is spelt in two ways', () => {
    const get = (path: string) => answerTo([`GET ${path} HTTP/1.1`, 'host: kms', authorization(), 'connection: close']);

    test.each([
      '/kms/v1/../../metrics',
      '/kms/v1/..',
      '/./metrics',
      '/kms/v1/keys/.',
      '//metrics',
      '/kms//v1/keys',
      '/kms/v1/keys/',
      '/kms/v1/keys%2Fstats',
      '/kms/v1/keys%2fstats',
      '/kms/v1/%2e%2e/%2e%2e/metrics',
      '/kms/v1/.%2E/metrics',
      '/kms/v1/keys\\stats',
      '/kms/v1/keys%5Cstats',
      '/%6detrics',
      '/metrics%00',
      'http://kms/kms/v1/../../metrics',
      'http://kms//metrics',
      'http://a b/metrics',
      '*',
      'metrics',
    ])('%s is refused', async (path) => {
      const answer = await get(path);
      if (path === '/kms/v1/keys/') expect(answer.status).toBe(404);
      else await expectRefused(answer, 400, 'BAD_REQUEST');
    });

    test('is refused at every place of every route, also where the fast path would serve the plain one', async () => {
      const outcomes: unknown[] = [];
      const paths = ALL_ROUTES.flatMap((route) => [route, ...(route.also ?? [])]);
      for (const { method, path } of paths) {
        const filled = path.replaceAll(/\{\w+\}/g, keyId);
        const places = [...filled.matchAll(/\//g)].map(({ index }) => index);
        const requests = places.flatMap((at) =>
          ['/', './', '../', '%2e/', '%2F'].map((piece) => `${filled.slice(0, at + 1)}${piece}${filled.slice(at + 1)}`),
        );
        const answers = await Promise.all(
          requests.map((target) =>
            answerTo([`${method} ${target} HTTP/1.1`, 'host: kms', authorization(), 'content-length: 2'], '{}'),
          ),
        );
        outcomes.push(
          ...answers.flatMap(({ status }, index) => (status === 400 ? [] : [[method, requests[index], status]])),
        );
      }
      expect(outcomes).toEqual([]);
      expect(await local.call('GET', `/kms/v1/keys/${keyId}`)).toMatchObject({ status: 200, body: { revision: 1 } });
    }, 600_000);

    test('is not what a query may hold, nor a target with its host', async () => {
      const { text } = await get('/kms/v1/keys?name=a//../b%2F&limit=5');
      expect(text).toMatch(/^HTTP\/1\.1 200 /);
      expect((await get('http://kms.example:8095/livez')).status).toBe(200);
      expect((await get('/livez?')).status).toBe(200);
    });
  });

  describe('the host of a request', () => {
    test.each([
      ['HTTP/1.0 without one', ['GET /livez HTTP/1.0']],
      ['an empty one', ['GET /livez HTTP/1.1', 'host: ', 'connection: close']],
      ['an empty one and HTTP/1.0', ['GET /livez HTTP/1.0', 'host:']],
      ['an address of IPv6', ['GET /livez HTTP/1.1', 'host: [::1]:8095', 'connection: close']],
      ['a name with an underscore', ['GET /livez HTTP/1.1', 'host: kms_1', 'connection: close']],
    ])('may be %s', async (_name, head) => {
      expect((await answerTo(head)).status).toBe(200);
    });

    test.each([
      ['missing with HTTP/1.1', ['GET /livez HTTP/1.1']],
      ['no host', ['GET /livez HTTP/1.1', 'host: a b']],
      ['more than a host', ['GET /livez HTTP/1.1', 'host: kms/path']],
      [
        'no host, on the fast path',
        [`POST /kms/v1/keys/${UNKNOWN}/encrypt HTTP/1.1`, 'host: a/b', 'content-length: 2'],
      ],
    ])('may not be %s', async (_name, head) => {
      await expectRefused(await answerTo(head, head.length > 2 ? '{}' : ''), 400, 'BAD_REQUEST');
    });
  });

  describe('what the parser of HTTP refuses', () => {
    test.each([
      ['garbage', 'hello\r\n\r\n', 400, 'BAD_REQUEST'],
      ['TLS', '\u0016\u0003\u0001\u0002\u0000\u0001', 400, 'BAD_REQUEST'],
      ['another version', 'GET /livez HTTP/9.9\r\nhost: kms\r\n\r\n', 400, 'BAD_REQUEST'],
      [
        'a header with a control character',
        'GET /livez HTTP/1.1\r\nhost: kms\r\nx: a\u0001b\r\n\r\n',
        400,
        'BAD_REQUEST',
      ],
      [
        'two lengths',
        'POST /kms/v1/encrypt HTTP/1.1\r\nhost: kms\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n',
        400,
        'BAD_REQUEST',
      ],
      [
        'length and chunks',
        'POST /kms/v1/encrypt HTTP/1.1\r\nhost: kms\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n',
        400,
        'BAD_REQUEST',
      ],
      [
        'headers that are too large',
        `GET /livez HTTP/1.1\r\nhost: kms\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`,
        431,
        'HEADERS_TOO_LARGE',
      ],
      ['a path that is too long', `GET /${'x'.repeat(20_000)} HTTP/1.1\r\nhost: kms\r\n\r\n`, 431, 'HEADERS_TOO_LARGE'],
      ['CONNECT', 'CONNECT kms:443 HTTP/1.1\r\nhost: kms\r\n\r\n', 400, 'BAD_REQUEST'],
      [
        'another expectation',
        'POST /kms/v1/keys HTTP/1.1\r\nhost: kms\r\nexpect: miracles\r\ncontent-length: 2\r\n\r\n{}',
        400,
        'BAD_REQUEST',
      ],
    ])('has the one shape, an id and a line: %s', async (_name, bytes, status, code) => {
      const { text, ms } = await exchange(local.service, Buffer.from(bytes, 'latin1'));
      await expectRefused({ ...onlyAnswer(text), text, ms }, status, code);
    });
  });

  describe('a body that the client offers to send', () => {
    const offer = (path: string, length: number, credential = authorization()) =>
      answerTo([`POST ${path} HTTP/1.1`, 'host: kms', credential, 'expect: 100-continue', `content-length: ${length}`]);

    test('is not asked for when it is refused anyway', async () => {
      const encrypt = `/kms/v1/keys/${keyId}/encrypt`;
      for (const [answer, status, code] of [
        [await offer(encrypt, 9 * 1024 * 1024), 413, 'PAYLOAD_TOO_LARGE'],
        [await offer('/kms/v1/keys', 2 * 1024 * 1024), 413, 'PAYLOAD_TOO_LARGE'],
        [await offer(encrypt, 100, 'authorization: Bearer qnsp_pqc_unknown'), 401, 'UNAUTHORIZED'],
        [await offer(encrypt, 100, 'x-nothing: 1'), 401, 'UNAUTHORIZED'],
        [await offer('/kms/v1/nothing', 100), 404, 'NOT_FOUND'],
        [await offer('/kms/v1/../v1/keys', 100), 400, 'BAD_REQUEST'],
      ] as const)
        await expectRefused(answer, status, code);
    });

    // What a query holds is looked at together with the body.
    test.each([
      ['', 200],
      ['?a="', 400],
      ['?a=<', 400],
      ['?a={', 400],
    ])('is asked for otherwise, with the query %j', async (query, status) => {
      const body = JSON.stringify({ plaintext: 'aGk=' });
      const { text } = await exchange(
        local.service,
        [
          `POST /kms/v1/keys/${keyId}/encrypt${query} HTTP/1.1\r\nhost: kms\r\n${authorization()}`,
          `content-type: application/json\r\nexpect: 100-continue\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n`,
        ].join('\r\n'),
        (socket) => socket.once('data', () => socket.write(body)),
      );
      expect(text.startsWith(`HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 ${status} `), text).toBe(true);
    });
  });

  describe('a compressed body', () => {
    test.each([`/kms/v1/keys`, `/kms/v1/encrypt`, 'hot'])('is refused by %s', async (path) => {
      const target = path === 'hot' ? `/kms/v1/keys/${keyId}/encrypt` : path;
      const body = gzipSync('{"plaintext":"aGk="}');
      for (const encoding of ['gzip', 'br', 'gzip, identity'])
        await expectRefused(
          await answerTo(
            [
              `POST ${target} HTTP/1.1`,
              'host: kms',
              authorization(),
              'connection: close',
              'content-type: application/json',
              `content-encoding: ${encoding}`,
              `content-length: ${body.length}`,
            ],
            body,
          ),
          415,
          'UNSUPPORTED_MEDIA_TYPE',
        );
    });
  });
});
