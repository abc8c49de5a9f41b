import { inspect } from 'node:util';
import { startTcpProxy, type TcpProxy } from '@qnsp/test-harness';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createKmsClient, HttpKmsServiceClient, type KmsClient, type KmsClientOptions } from '../src/index.ts';
import { failureOf } from './failure-of.ts';
import { json, page, problem, type ScriptedServer, scriptedServer, silence, type Step } from './scripted-server.ts';
import { type StartedService, startedService } from './started-service.ts';

const TOKEN = 'qnsp_pqc_the-token-of-this-test';
const RETRY = { attempts: 3, deadlineMs: 120_000, baseDelayMs: 1, maxDelayMs: 2 };
const KEY_ID = '0198f2a5-0c1d-7e2f-8a3b-4c5d6e7f8091';
const NO_KEYS = json(200, { items: [], nextCursor: null });

/** What is started for one test; ended after it. */
const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()));
});

interface Talk {
  readonly server: ScriptedServer;
  readonly kms: KmsClient;
}

async function talk(steps: readonly Step[], options: Partial<KmsClientOptions> = {}): Promise<Talk> {
  const server = await scriptedServer(...steps);
  ends.push(() => server.end());
  return { server, kms: createKmsClient({ baseUrl: server.baseUrl, token: TOKEN, retry: RETRY, ...options }) };
}

describe('before the real service', () => {
  let service: StartedService;
  let proxy: TcpProxy;
  beforeAll(async () => {
    service = await startedService();
    proxy = await startTcpProxy(Number(new URL(service.baseUrl).port));
  });
  afterAll(async () => {
    await proxy.stop();
    await service.end();
  });

  test('a change whose answer was lost is sent again, and was made once', async () => {
    const sent: (string | null)[] = [];
    const direct = createKmsClient({ baseUrl: service.baseUrl, token: service.token });
    const kms = createKmsClient({
      baseUrl: `http://127.0.0.1:${proxy.port}`,
      token: service.token,
      retry: RETRY,
      fetch: (...request) => {
        sent.push(new Headers(request[1]?.headers).get('idempotency-key'));
        return fetch(...request);
      },
    });
    const named = async () => (await direct.listKeys({ name: 'once' })).items.map(({ keyId }) => keyId);
    proxy.stallAnswers();
    const creating = kms.createKey({ name: 'once' });
    await expect.poll(named, { timeout: 20_000 }).toHaveLength(1);
    proxy.cut();
    proxy.resume();
    const { keyId } = await creating;
    expect(await named()).toEqual([keyId]);
    expect(sent).toEqual([expect.stringMatching(/^[0-9a-f]{32}$/), sent[0]]);
  });

  test('a connection that is always reset is said to be one, without the token', async () => {
    const kms = createKmsClient({ baseUrl: `http://127.0.0.1:${proxy.port}`, token: service.token, retry: RETRY });
    const cutting = setInterval(() => proxy.cut(), 1);
    proxy.stall();
    try {
      const error = await failureOf(kms.listKeys());
      expect(error).toMatchObject({ code: 'UNREACHABLE', retryable: true, statusCode: undefined });
      expect(everythingOf(error)).not.toContain(service.token);
    } finally {
      clearInterval(cutting);
      proxy.resume();
    }
  });
});

describe('another attempt', () => {
  test('waits for as long as the service asks', async () => {
    const { server, kms } = await talk([problem(429, 'TOO_MANY_REQUESTS', { 'retry-after': '1' }), NO_KEYS]);
    await kms.listKeys();
    const [first, second] = server.seen;
    // A timer of Node.js may end up to a millisecond early.
    expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(999);
  });

  test('is not made when the service asks for a longer wait than there is time', async () => {
    const { server, kms } = await talk([problem(429, 'TOO_MANY_REQUESTS', { 'retry-after': '3600' })]);
    const error = await failureOf(kms.listKeys());
    expect(error).toMatchObject({ code: 'TOO_MANY_REQUESTS', statusCode: 429, retryAfterSeconds: 3600 });
    expect(server.seen).toHaveLength(1);
  });

  test.each([429, 502, 503, 504])('follows a page of a proxy with the status %i', async (status) => {
    const { server, kms } = await talk([page(status), page(status), NO_KEYS]);
    expect((await kms.listKeys()).items).toEqual([]);
    expect(server.seen).toHaveLength(3);
    const always = await talk([page(status)]);
    expect(await failureOf(always.kms.listKeys())).toMatchObject({
      code: 'UNEXPECTED_ANSWER',
      statusCode: status,
      retryable: true,
    });
    expect(always.server.seen).toHaveLength(RETRY.attempts);
  });

  test.each([400, 403, 404, 409, 500])('is not made after the status %i', async (status) => {
    const { server, kms } = await talk([problem(status, 'SOME_CODE')]);
    expect(await failureOf(kms.listKeys())).toMatchObject({ code: 'SOME_CODE', retryable: false });
    expect(server.seen).toHaveLength(1);
  });

  test('of a change has the same idempotency key; another change has another', async () => {
    const { server, kms } = await talk([page(502), page(503), problem(409, 'CONFLICT')]);
    await failureOf(kms.createKey({ name: 'a' }));
    await failureOf(kms.createKey({ name: 'a' }));
    const [first, second, third, other] = server.seen.map(({ headers }) => headers['idempotency-key']);
    expect(first).toMatch(/^[0-9a-f]{32}$/);
    expect([second, third]).toEqual([first, first]);
    expect(other).not.toBe(first);
    expect(new Set(server.seen.map(({ headers }) => headers['x-request-id'])).size).toBe(2);
  });
});

describe('a redirect', () => {
  test.each([301, 302, 307, 308])(
    'with the status %i is not followed, and the token goes nowhere else',
    async (status) => {
      const elsewhere = await talk([NO_KEYS]);
      const { server, kms } = await talk([
        (response) => void response.writeHead(status, { location: `${elsewhere.server.baseUrl}/kms/v1/keys` }).end(),
      ]);
      expect(await failureOf(kms.listKeys())).toMatchObject({ code: 'REDIRECTED', retryable: false });
      expect(await failureOf(kms.createKey({}))).toMatchObject({ code: 'REDIRECTED' });
      expect(server.seen).toHaveLength(2);
      expect(elsewhere.server.seen).toHaveLength(0);
    },
  );
});

describe('a service that does not answer', () => {
  test('is given up after the time limit, in every attempt', async () => {
    const { server, kms } = await talk([silence], { timeoutMs: 300, retry: { ...RETRY, attempts: 2 } });
    const error = await failureOf(kms.listKeys());
    expect(error).toMatchObject({ code: 'TIMEOUT', retryable: true });
    expect(server.seen).toHaveLength(2);
    // The requests were ended, not left behind.
    await expect.poll(() => server.seen.every(({ socket }) => socket.destroyed)).toBe(true);
  });

  test('in the middle of its answer is given up as well', async () => {
    const { server, kms } = await talk(
      [(response) => void response.writeHead(200, { 'content-type': 'application/json' }).write('{"items":[')],
      { timeoutMs: 300, retry: { ...RETRY, attempts: 1 } },
    );
    expect(await failureOf(kms.listKeys())).toMatchObject({ code: 'TIMEOUT' });
    await expect.poll(() => server.seen.every(({ socket }) => socket.destroyed)).toBe(true);
  });

  test("is waited for only until the caller has enough, and the reason is the caller's", async () => {
    const { server, kms } = await talk([silence]);
    const controller = new AbortController();
    const call = kms.listKeys({}, { signal: controller.signal });
    call.catch(() => undefined);
    await expect.poll(() => server.seen.length).toBe(1);
    controller.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
    await expect.poll(() => server.seen.every(({ socket }) => socket.destroyed)).toBe(true);
    expect(server.seen).toHaveLength(1);
  });

  test('and asks to wait is not waited for either', async () => {
    const { server, kms } = await talk([problem(503, 'SEALED', { 'retry-after': '60' })]);
    const controller = new AbortController();
    const call = kms.listKeys({}, { signal: controller.signal });
    call.catch(() => undefined);
    await expect.poll(() => server.seen.length).toBe(1);
    controller.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
    expect(server.seen).toHaveLength(1);
    await expect(kms.listKeys({}, { signal: AbortSignal.abort(new Error('before')) })).rejects.toThrow('before');
    expect(server.seen).toHaveLength(1);
  });
});

/** Every text that a log could make of an error. */
function everythingOf(error: Error): string {
  return [error.message, String(error), error.stack, JSON.stringify(error), inspect(error, { depth: 10 })].join('\n');
}

describe('an answer that repeats what was sent', () => {
  const plaintext = new TextEncoder().encode('the payload of this test');
  const echo: Step = (response, { headers, body }) => {
    const sent = `${JSON.stringify(headers)} ${body}`;
    problem(
      400,
      'BAD_REQUEST',
      { 'x-request-id': sent.replaceAll('"', "'") },
      {
        message: sent,
        requestId: headers.authorization,
        details: { sent },
      },
    )(response, { method: '', url: '', headers, body, atMs: 0, socket: response.req.socket });
  };

  test('gives an error without the token and the payload', async () => {
    const { kms } = await talk([echo], { headers: { 'x-proxy-key': 'hunter22-of-a-gateway' } });
    const error = await failureOf(
      kms.encrypt({ keyId: KEY_ID, plaintext }, { headers: { cookie: 'id=cookie-of-one-call' } }),
    );
    expect(error).toMatchObject({ code: 'BAD_REQUEST', statusCode: 400, details: undefined });
    for (const secret of [
      TOKEN,
      Buffer.from(plaintext).toString('base64'),
      'hunter22-of-a-gateway',
      'cookie-of-one-call',
    ])
      expect(everythingOf(error)).not.toContain(secret);
  });

  test.each(['hunter22-of-a-gateway', 'cookie-of-one-call', TOKEN])(
    'in part gives an error without %s',
    async (secret) => {
      const { kms } = await talk([problem(400, 'BAD_REQUEST', {}, { message: `It is about ${secret}.` })], {
        headers: { 'x-proxy-key': 'hunter22-of-a-gateway' },
      });
      const error = await failureOf(kms.listKeys({}, { headers: { cookie: 'id=cookie-of-one-call' } }));
      expect(everythingOf(error)).not.toContain(secret);
    },
  );

  test('gives an error without any word of a header that a function gave', async () => {
    const server = await scriptedServer(
      problem(400, 'BAD_REQUEST', {}, { message: 'Not for Digest alice-secret, x.' }),
    );
    ends.push(() => server.end());
    const kms = new HttpKmsServiceClient(server.baseUrl, { getAuthHeader: () => 'Digest alice-secret nonce-of-today' });
    const error = await failureOf(kms.unwrapKey({ keyId: KEY_ID, wrappedKey: 'AAAA' } as never));
    expect(everythingOf(error)).not.toContain('alice-secret');
  });

  const DIGEST =
    'Digest username="alice", realm="kms", nonce="dcd98b7102dd2f0e", response="6629fae49393a05397450978507c4ef1"';

  test.each([
    ['dcd98b7102dd2f0e', 'in words', { message: 'The nonce dcd98b7102dd2f0e is stale.' }],
    ['6629fae49393a053', 'in words', { message: 'Not 6629fae49393a05397450978507c4ef1.' }],
    ['6629fae49393a053', 'in details', { details: { tried: ['6629fae49393a05397450978507c4ef1'] } }],
    ['6629fae49393a053', 'in the name of a detail', { details: { '6629fae49393a05397450978507c4ef1': 1 } }],
    ['6629fae49393a053', 'as JSON', { message: JSON.stringify({ sent: DIGEST }) }],
  ])('gives an error without the part %s of a credential %s', async (secret, _where, answer) => {
    const server = await scriptedServer(problem(400, 'BAD_REQUEST', {}, answer));
    ends.push(() => server.end());
    const kms = new HttpKmsServiceClient(server.baseUrl, { getAuthHeader: () => DIGEST });
    const error = await failureOf(kms.unwrapKey({ tenantId: KEY_ID, keyId: KEY_ID, wrappedKey: 'AAAA' }));
    expect(error.code).toBe('BAD_REQUEST');
    expect(everythingOf(error)).not.toContain(secret);
  });

  // Quotes and backslashes have another form in JSON, so that the text of an error holds it twice over.
  const ODD_TOKEN = String.raw`a"b\c"d`;
  test.each([
    ['in words', { message: `It is about ${ODD_TOKEN}.` }],
    ['as JSON', { message: JSON.stringify({ sent: ODD_TOKEN }) }],
    ['in details', { details: { sent: [`Bearer ${ODD_TOKEN}`] } }],
    ['as JSON in details', { details: { sent: JSON.stringify({ token: ODD_TOKEN }) } }],
  ])('%s gives an error without a token that JSON escapes', async (_where, answer) => {
    const { kms } = await talk([problem(400, 'BAD_REQUEST', {}, answer)], { token: ODD_TOKEN });
    const error = await failureOf(kms.listKeys());
    expect(error.message).not.toMatch(/b.+c/);
    expect(error.details).toBeUndefined();
  });

  test('gives an error without a part of a cookie', async () => {
    const echoed = problem(400, 'BAD_REQUEST', {}, { details: { jar: { session: 'k3J9-of-one-session' } } });
    const { kms } = await talk([echoed]);
    const headers = { cookie: 'theme="dark"; session="k3J9-of-one-session"' };
    expect(everythingOf(await failureOf(kms.listKeys({}, { headers })))).not.toContain('k3J9');
  });

  test('still says what is wrong, with the names that are no secret', async () => {
    const tenantId = '0198f2a5-0c1d-7e2f-8a3b-4c5d6e7f8092';
    const message = `The token is not of the tenant ${tenantId}.`;
    const { kms } = await talk([problem(403, 'TENANT_MISMATCH', {}, { message })], { tenantId });
    expect((await failureOf(kms.listKeys())).message).toBe(message);
  });
});

describe('a token that comes from a function', () => {
  test('is asked for again when the service refuses it, once for an attempt', async () => {
    const needs: boolean[] = [];
    const token = async ({ refresh }: { readonly refresh: boolean }) => {
      needs.push(refresh);
      return refresh ? 'new' : 'old';
    };
    const { server, kms } = await talk([problem(401, 'UNAUTHORIZED'), NO_KEYS], { token });
    await kms.listKeys();
    expect(server.seen.map(({ headers }) => headers.authorization)).toEqual(['Bearer old', 'Bearer new']);
    expect(needs).toEqual([false, true]);

    const refused = await talk([problem(401, 'UNAUTHORIZED')], { token });
    expect(await failureOf(refused.kms.listKeys())).toMatchObject({ code: 'UNAUTHORIZED', statusCode: 401 });
    expect(refused.server.seen).toHaveLength(2);
  });

  test('has no second try when it is always the same', async () => {
    const { server, kms } = await talk([problem(401, 'UNAUTHORIZED')]);
    expect(await failureOf(kms.listKeys())).toMatchObject({ code: 'UNAUTHORIZED' });
    expect(server.seen).toHaveLength(1);
  });

  test('that does not come in time counts as no answer', async () => {
    const { server, kms } = await talk([NO_KEYS], {
      token: () => new Promise<string>(() => undefined),
      timeoutMs: 100,
      retry: { ...RETRY, attempts: 1 },
    });
    expect(await failureOf(kms.listKeys())).toMatchObject({ code: 'TIMEOUT' });
    expect(server.seen).toHaveLength(0);
  });
});

describe('connections', () => {
  test('are used again, also after errors', async () => {
    const { server, kms } = await talk([NO_KEYS, problem(404, 'NOT_FOUND'), page(502), NO_KEYS]);
    for (let call = 0; call < 20; call += 1) await kms.listKeys().catch(() => undefined);
    expect(server.seen).toHaveLength(21);
    // Node opens another one where a call begins before it has seen the end of the last answer.
    expect(new Set(server.seen.map(({ socket }) => socket)).size).toBeLessThanOrEqual(3);
  });
});
