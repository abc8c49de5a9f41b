import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, type LocalService, send, startLocalService } from './local-service.ts';

const b64 = (data: Uint8Array | string) => Buffer.from(data).toString('base64');
const UNKNOWN_KEY = '01890000-0000-7000-8000-00000000dead';
let local: LocalService;
let keyPath: string;
let ciphertext: string;

beforeAll(async () => {
  local = await startLocalService();
  const key = await local.call('POST', '/kms/v1/keys', {});
  keyPath = `/kms/v1/keys/${String(key.body['keyId'])}`;
  ciphertext = String(
    (await local.call('POST', `${keyPath}/encrypt`, { plaintext: b64('hello'), context: { a: '1' } })).body[
      'ciphertext'
    ],
  );
});
afterAll(async () => {
  await local.end();
});

function expectProblem(answer: Answer, status: number, code: string): void {
  expect(answer).toMatchObject({ status, body: { statusCode: status, code, error: code } });
  expect(answer.body['message']).toEqual(expect.any(String));
  expect(answer.body['requestId']).toBe(answer.headers.get('x-request-id'));
  expect(answer.body['timestamp']).toMatch(/^\d{4}-.*Z$/);
}

function raw(
  method: string,
  path: string,
  headers: Record<string, string>,
  body?: string,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const call = request(
      `${local.service.baseUrl}${path}`,
      { method, headers: { authorization: `Bearer ${local.apiToken}`, ...headers } },
      (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => {
          text += chunk.toString();
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      },
    );
    call.on('error', reject);
    call.end(body);
  });
}

describe('a malformed request', () => {
  test.each([
    ['malformed JSON', '{"plaintext":', 400, 'BAD_REQUEST'],
    ['JSON that is not an object', '[1]', 400, 'BAD_REQUEST'],
    ['a missing field', {}, 400, 'BAD_REQUEST'],
    ['a wrong type', { plaintext: 5 }, 400, 'BAD_REQUEST'],
    ['an unknown field', { plaintext: 'aGk=', extra: 1 }, 400, 'BAD_REQUEST'],
    ['base64 without padding', { plaintext: 'aGk' }, 400, 'BAD_REQUEST'],
    ['base64url', { plaintext: '_-8=' }, 400, 'BAD_REQUEST'],
    ['base64 with stray bits', { plaintext: 'aGl=' }, 400, 'BAD_REQUEST'],
    ['base64 with white space', { plaintext: 'aG k=' }, 400, 'BAD_REQUEST'],
    ['a context that is not strings', { plaintext: 'aGk=', context: { a: 1 } }, 400, 'BAD_REQUEST'],
    ['a plaintext above 64 KiB', { plaintext: b64(new Uint8Array(64 * 1024 + 1)) }, 413, 'PAYLOAD_TOO_LARGE'],
  ])('%s', async (_name, body, status, code) => {
    expectProblem(await local.call('POST', `${keyPath}/encrypt`, body), status, code);
  });

  test('names the field and never repeats its value', async () => {
    const answer = await local.call('POST', `${keyPath}/encrypt`, { plaintext: 'not!base64-SECRET' });
    expect(answer.body['details']).toMatchObject({ issues: [{ path: 'plaintext', reason: expect.any(String) }] });
    expect(JSON.stringify(answer.body)).not.toContain('SECRET');
  });

  test('a body above the limit is refused with and without a declared length', async () => {
    const body = JSON.stringify({ plaintext: 'A'.repeat(9 * 1024 * 1024) });
    expectProblem(await local.call('POST', `${keyPath}/encrypt`, body), 413, 'PAYLOAD_TOO_LARGE');
  });

  test('another content type is 415', async () => {
    expectProblem(
      await local.call('POST', `${keyPath}/encrypt`, 'plaintext=x', {
        'content-type': 'application/x-www-form-urlencoded',
      }),
      415,
      'UNSUPPORTED_MEDIA_TYPE',
    );
  });

  test('an unknown path is 404, an unknown method 405', async () => {
    expectProblem(await local.call('GET', '/kms/v1/nothing'), 404, 'NOT_FOUND');
    expectProblem(await local.call('PUT', '/kms/v1/keys'), 405, 'METHOD_NOT_ALLOWED');
  });

  test('posts with a JSON type and no bytes, or with neither type nor length, work', async () => {
    expect(
      (await raw('POST', `${keyPath}/rotate`, { 'content-type': 'application/json', 'content-length': '0' })).status,
    ).toBe(200);
    expect((await raw('POST', `${keyPath}/rotate`, {})).status).toBe(200);
    expect((await raw('GET', '/kms/v1/keys?limit=100', {})).status).toBe(200);
  });
});

describe('a request of the wrong caller', () => {
  test('no, a malformed, and an unknown credential are 401', async () => {
    for (const authorization of [undefined, 'Basic abc', 'Bearer nothing', `Bearer qnsp_pqc_${'A'.repeat(43)}`]) {
      const answer = await send(
        `${local.service.baseUrl}${keyPath}`,
        'GET',
        undefined,
        undefined,
        authorization === undefined ? {} : { authorization },
      );
      expectProblem(answer, 401, 'UNAUTHORIZED');
    }
  });

  test('another tenant named in a header, the query or the body is 403', async () => {
    for (const header of ['x-qnsp-tenant', 'x-qnsp-tenant-id', 'x-tenant-id']) {
      expectProblem(await local.call('GET', keyPath, undefined, { [header]: UNKNOWN_KEY }), 403, 'TENANT_MISMATCH');
    }
    expectProblem(await local.call('GET', `${keyPath}?tenantId=${UNKNOWN_KEY}`), 403, 'TENANT_MISMATCH');
    expectProblem(
      await local.call('POST', `${keyPath}/encrypt`, { plaintext: 'aGk=', tenantId: UNKNOWN_KEY }),
      403,
      'TENANT_MISMATCH',
    );
    expect(
      (
        await local.call('GET', `${keyPath}?tenantId=${local.tenantId}`, undefined, {
          'x-qnsp-tenant': local.tenantId.toUpperCase(),
        })
      ).status,
    ).toBe(200);
  });

  test('a token without the permission is 403, and a revoked one is 401', async () => {
    const token = await local.call('POST', '/kms/v1/tokens', { name: 'reader', role: 'auditor' });
    expect(token.status).toBe(201);
    const url = `${local.service.baseUrl}${keyPath}`;
    expect((await send(url, 'GET', String(token.body['token']))).status).toBe(200);
    expectProblem(
      await send(`${url}/encrypt`, 'POST', String(token.body['token']), { plaintext: 'aGk=' }),
      403,
      'FORBIDDEN',
    );
    const revoked = await local.call('DELETE', `/kms/v1/tokens/${String(token.body['tokenId'])}`);
    expect(revoked.status).toBeLessThan(300);
    expectProblem(await send(url, 'GET', String(token.body['token'])), 401, 'UNAUTHORIZED');
  });
});

describe('a wrong key, state or ciphertext', () => {
  test('an unknown key is 404', async () => {
    expectProblem(await local.call('GET', `/kms/v1/keys/${UNKNOWN_KEY}`), 404, 'NOT_FOUND');
    expectProblem(
      await local.call('POST', `/kms/v1/keys/${UNKNOWN_KEY}/encrypt`, { plaintext: 'aGk=' }),
      404,
      'NOT_FOUND',
    );
  });

  test('every way in which a ciphertext can be wrong is the same 422', async () => {
    const bytes = Buffer.from(ciphertext, 'base64');
    const flipped = (at: number) => {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 1;
      return b64(changed);
    };
    const wrong = [
      { ciphertext: '' },
      { ciphertext: b64('short') },
      { ciphertext: b64(bytes.subarray(0, 30)) },
      { ciphertext: flipped(0) },
      { ciphertext: flipped(5) },
      { ciphertext: flipped(21) },
      { ciphertext: flipped(40) },
      { ciphertext: flipped(bytes.length - 1) },
      { ciphertext: b64(Buffer.concat([bytes, Buffer.of(0)])) },
      { ciphertext, context: { a: '2' } },
      { ciphertext, context: {} },
    ];
    const answers = await Promise.all(
      wrong.map((body) => local.call('POST', `${keyPath}/decrypt`, { context: { a: '1' }, ...body })),
    );
    for (const answer of answers) expectProblem(answer, 422, 'DECRYPT_FAILED');
    expect(
      new Set(answers.map((answer) => JSON.stringify({ ...answer.body, requestId: '', timestamp: '' }))).size,
    ).toBe(1);
    expect((await local.call('POST', `${keyPath}/decrypt`, { ciphertext, context: { a: '1' } })).status).toBe(200);
  });

  test('a state that forbids the operation is 409 and changes nothing', async () => {
    const key = await local.call('POST', '/kms/v1/keys', {});
    const path = `/kms/v1/keys/${String(key.body['keyId'])}`;
    expect((await local.call('POST', `${path}/destroy`, { pendingWindow: 1 })).body).toMatchObject({
      state: 'deactivated',
      destroyAt: expect.any(String),
    });
    expectProblem(await local.call('POST', `${path}/encrypt`, { plaintext: 'aGk=' }), 409, 'KEY_STATE_INVALID');
    expectProblem(await local.call('POST', `${path}/rotate`), 409, 'KEY_STATE_INVALID');
    expect((await local.call('GET', path)).body).toMatchObject({
      state: 'deactivated',
      currentVersion: 1,
      revision: 2,
    });
    expect((await local.call('POST', `${path}/restore`)).body).toMatchObject({ state: 'active', destroyAt: null });
  });

  test('a revision that is not the current one is 409', async () => {
    const key = await local.call('POST', '/kms/v1/keys', {});
    const path = `/kms/v1/keys/${String(key.body['keyId'])}`;
    expect((await local.call('PATCH', path, { name: 'a' }, { 'if-match': '"1"' })).status).toBe(200);
    expectProblem(await local.call('PATCH', path, { name: 'b' }, { 'if-match': '"1"' }), 409, 'CONFLICT');
  });
});

describe('an idempotency key', () => {
  test('replays the answer of the same request and refuses another one', async () => {
    const headers = { 'idempotency-key': 'create-once' };
    const first = await local.call('POST', '/kms/v1/keys', { name: 'once' }, headers);
    const again = await local.call('POST', '/kms/v1/keys', { name: 'once' }, headers);
    expect(again.status).toBe(201);
    expect(again.body).toEqual(first.body);
    expectProblem(await local.call('POST', '/kms/v1/keys', { name: 'twice' }, headers), 409, 'IDEMPOTENCY_MISMATCH');
  });

  test('concurrent duplicates run once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, () =>
        local.call('POST', '/kms/v1/keys', { name: 'storm' }, { 'idempotency-key': 'storm' }),
      ),
    );
    expect(new Set(answers.map((answer) => answer.body['keyId'])).size).toBe(1);
    expect((await local.call('GET', '/kms/v1/keys?name=storm')).body['items']).toHaveLength(1);
  });
});
