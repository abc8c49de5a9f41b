import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LocalService, send, startLocalService } from './local-service.ts';

const DATA = Buffer.from('data').toString('base64');
let local: LocalService;
const paths: Record<string, string> = {};

beforeAll(async () => {
  local = await startLocalService();
  for (const algorithm of ['aes-256-gcm', 'ed25519']) {
    const key = await local.call('POST', '/kms/v1/keys', { algorithm });
    paths[algorithm] = `/kms/v1/keys/${String(key.body['keyId'])}`;
  }
});
afterAll(() => local.end());

describe('the aliases of fields that published clients use', () => {
  test.each([
    { suffix: 'B64', wrapped: 'ciphertextB64', unwrapped: 'plaintextB64', toWrap: 'plaintextB64' },
    { suffix: 'Base64', wrapped: 'wrappedBase64', unwrapped: 'plaintextBase64', toWrap: 'plaintextBase64' },
  ])(
    '$suffix: every answer has the names of its request beside the canonical ones',
    async ({ suffix, wrapped, unwrapped, toWrap }) => {
      const cipher = paths['aes-256-gcm'] ?? '';
      const signer = paths['ed25519'] ?? '';
      const sealed = (await local.call('POST', `${cipher}/encrypt`, { [`plaintext${suffix}`]: DATA })).body;
      expect(sealed[`ciphertext${suffix}`]).toBe(sealed['ciphertext']);
      const opened = (await local.call('POST', `${cipher}/decrypt`, { [`ciphertext${suffix}`]: sealed['ciphertext'] }))
        .body;
      expect(opened).toMatchObject({ plaintext: DATA, [`plaintext${suffix}`]: DATA });
      const signed = (await local.call('POST', `${signer}/sign`, { [`data${suffix}`]: DATA })).body;
      expect(signed[`signature${suffix}`]).toBe(signed['signature']);
      const verified = await local.call('POST', `${signer}/verify`, {
        [`data${suffix}`]: DATA,
        [`signature${suffix}`]: signed['signature'],
      });
      expect(verified.body).toMatchObject({ valid: true });
      const wrap = (await local.call('POST', `${cipher}/wrap`, { [toWrap]: DATA })).body;
      expect(wrap[wrapped]).toBe(wrap['wrappedKey']);
      expect((await local.call('POST', `${cipher}/unwrap`, { [wrapped]: wrap['wrappedKey'] })).body).toMatchObject({
        dataKey: DATA,
        [unwrapped]: DATA,
      });
    },
  );

  test('operations without a key in the path take it in the body, and message for data', async () => {
    const keyId = paths['ed25519']?.split('/').at(-1);
    const signed = await local.call('POST', '/kms/v1/sign', { keyId, message: DATA });
    expect(signed.status).toBe(200);
    expect(
      (await local.call('POST', '/kms/v1/verify', { keyId, message: DATA, signature: signed.body['signature'] })).body,
    ).toMatchObject({ valid: true });
  });
});

describe('an error about an alias', () => {
  test.each([
    ['an empty plaintext', '', 400],
    ['a plaintext that is too large', Buffer.alloc(64 * 1024 + 1).toString('base64'), 413],
  ])('%s to wrap is named as it was sent, alone and in a batch', async (_what, plaintextB64, status) => {
    const path = `${paths['aes-256-gcm'] ?? ''}/wrap`;
    const alone = await local.call('POST', path, { plaintextB64 });
    expect(alone.status).toBe(status);
    expect(JSON.stringify(alone.body['details'])).toContain('"path":"plaintextB64"');
    expect(JSON.stringify(alone.body)).not.toContain('dataKey');
    const [item] = (await local.call('POST', path, { items: [{ plaintextB64 }] })).body['items'] as object[];
    expect(item).toMatchObject({ error: { statusCode: status } });
    expect(JSON.stringify(item)).toContain('"path":"plaintextB64"');
  });

  test('that the operation finds is named as it was sent, too', async () => {
    const path = `${paths['ed25519'] ?? ''}/sign`;
    const failed = await local.call('POST', path, { dataB64: DATA, context: DATA });
    expect(failed.body).toMatchObject({ code: 'BAD_REQUEST', message: expect.stringMatching(/^context: /) });
  });
});

describe('a list', () => {
  test('takes what published clients put into its query, and says what it passed over', async () => {
    const list = async (query: string) => (await local.call('GET', `/kms/v1/keys?${query}`)).body;
    expect((await list('limit=0'))['items']).toHaveLength(1);
    expect((await list('limit=500&cursor=null'))['items']).toHaveLength(2);
    expect(await list('limit=500')).not.toHaveProperty('warnings');
    expect(await list('sort=name&page=2&page=3')).toMatchObject({
      items: [{}, {}],
      warnings: ['The query has the unknown parameter sort.', 'The query has the unknown parameter page.'],
    });
    for (const path of ['/kms/v1/tokens', '/kms/v1/rotation-schedules', '/kms/v1/rotation-schedules/upcoming'])
      expect(await local.call('GET', `${path}?sort=name`)).toMatchObject({
        status: 200,
        body: { warnings: ['The query has the unknown parameter sort.'] },
      });
  });

  test.each([
    ['a year that no database knows', `${'9'.repeat(15)}.01890000-0000-7000-8000-00000000dead`],
    ['the first millisecond after 9999', `253402300800000.01890000-0000-7000-8000-00000000dead`],
  ])('refuses a forged cursor: %s', async (_what, text) => {
    const cursor = Buffer.from(text).toString('base64url');
    expect(await local.call('GET', `/kms/v1/keys?cursor=${cursor}`)).toMatchObject({
      status: 400,
      body: { code: 'BAD_REQUEST', details: { issues: [{ path: 'cursor' }] } },
    });
  });
});

describe('an instant at the ends of time', () => {
  test.each([
    ['the zero time of Go', '0001-01-01T00:00:00Z', 400],
    ['before 1970', '1969-12-31T23:59:59Z', 400],
    ['after 9999 in UTC', '9999-12-31T23:59:59-14:00', 400],
    ['the first', '1970-01-01T00:00:00Z', 201],
    ['the last', '9999-12-31T23:59:59.999Z', 201],
  ])('%s', async (_what, expiresAt, status) => {
    const answer = await local.call('POST', '/kms/v1/keys', { name: 'instants', usageLimits: { expiresAt } });
    expect(answer.status).toBe(status);
    if (status === 400) expect(answer.body['details']).toMatchObject({ issues: [{ path: 'usageLimits.expiresAt' }] });
    else expect(answer.body['usageLimits']).toMatchObject({ expiresAt: new Date(expiresAt).toISOString() });
  });

  test('a token that has expired already is not made', async () => {
    const expiring = (expiresAt: Date) =>
      local.call('POST', '/kms/v1/tokens', { name: 'late', role: 'auditor', expiresAt: expiresAt.toISOString() });
    expect(await expiring(new Date(Date.now() - 1000))).toMatchObject({
      status: 400,
      body: { details: { issues: [{ path: 'expiresAt' }] } },
    });
    expect((await expiring(new Date(Date.now() + 60_000))).status).toBe(201);
  });
});

describe('metadata', () => {
  const metadata = { n: [0.1, 5e-324, Number.MAX_SAFE_INTEGER], on: true, none: null, '10': { b: { a: ['ü', {}] } } };

  test('of any JSON is kept as it was sent, also when the key was changed and used', async () => {
    const made = await local.call('POST', '/kms/v1/keys', { name: 'metadata', metadata });
    expect(made).toMatchObject({ status: 201, body: { metadata } });
    const path = `/kms/v1/keys/${String(made.body['keyId'])}`;
    expect((await local.call('PATCH', path, { metadata: { ...metadata, more: [] } })).status).toBe(200);
    expect((await local.call('POST', `${path}/encrypt`, { plaintext: DATA })).status).toBe(200);
    expect((await local.call('GET', path)).body['metadata']).toEqual({ ...metadata, more: [] });
  });

  test.each([
    ['a number that no double holds', '{"a":{"b":1e400}}', 'metadata.a.b'],
    ['a whole number that would lose digits', '{"a":[1,12345678901234567890]}', 'metadata.a[1]'],
    ['-0', '{"a":-0}', 'metadata.a'],
    ['__proto__ inside', '{"a":{"__proto__":{"b":1}}}', 'metadata.a.__proto__'],
    ['nine levels', `{"a":${'['.repeat(8)}${']'.repeat(8)}}`, 'metadata.a[0][0][0][0][0][0][0]'],
  ])('is refused with its path: %s', async (_what, json, path) => {
    const answer = await local.call('POST', '/kms/v1/keys', `{"metadata":${json}}`, {
      'content-type': 'application/json',
    });
    expect(answer).toMatchObject({
      status: 400,
      body: { details: { issues: [{ path, reason: expect.any(String) }] } },
    });
  });
});

describe('a new key', () => {
  test('with an empty algorithm has the default one', async () => {
    expect(await local.call('POST', '/kms/v1/keys', { name: 'default', algorithm: '', purpose: '' })).toMatchObject({
      status: 201,
      body: { algorithm: 'aes-256-gcm' },
    });
  });
});

describe('a batch', () => {
  test('answers each item in its place, and one bad item leaves the others alone', async () => {
    const path = paths['aes-256-gcm'] ?? '';
    const items = Array.from({ length: 1000 }, (_, index) =>
      index === 500 ? { plaintext: 'not base64' } : { plaintext: Buffer.from(`${index}`).toString('base64') },
    );
    const sealed = (await local.call('POST', `${path}/encrypt`, { items })).body['items'] as Record<string, unknown>[];
    expect(sealed).toHaveLength(1000);
    expect(sealed[500]).toMatchObject({ error: { code: 'BAD_REQUEST', statusCode: 400 } });
    const opened = (
      await local.call('POST', '/kms/v1/decrypt', {
        items: sealed.map((item, index) => ({ ciphertext: index === 500 ? 'AAAA' : item['ciphertext'] })),
      })
    ).body['items'] as Record<string, unknown>[];
    expect(opened[500]).toMatchObject({ error: { code: 'DECRYPT_FAILED', statusCode: 422 } });
    expect(
      opened.every((item, index) => index === 500 || item['plaintext'] === Buffer.from(`${index}`).toString('base64')),
    ).toBe(true);
  });

  test('counts each item against the limits of its key', async () => {
    const key = await local.call('POST', '/kms/v1/keys', { usageLimits: { maxOperations: 3 } });
    const answer = await local.call('POST', `/kms/v1/keys/${String(key.body['keyId'])}/encrypt`, {
      items: Array.from({ length: 5 }, () => ({ plaintext: DATA })),
    });
    const codes = (answer.body['items'] as { error?: { code: string } }[]).map((item) => item.error?.code ?? 'done');
    expect(codes.sort()).toEqual(['KEY_USAGE_EXCEEDED', 'KEY_USAGE_EXCEEDED', 'done', 'done', 'done']);
  });

  test('of no items or of more than 1,000 is refused', async () => {
    const path = paths['aes-256-gcm'] ?? '';
    for (const items of [[], Array.from({ length: 1001 }, () => ({ plaintext: DATA }))]) {
      expect(await local.call('POST', `${path}/encrypt`, { items })).toMatchObject({
        status: 400,
        body: { code: 'BAD_REQUEST' },
      });
    }
  });
});

describe('the statistics', () => {
  test('count the keys and the operations of this month', async () => {
    const before = (await local.call('GET', '/kms/v1/keys/stats')).body;
    await local.call('POST', `${paths['ed25519'] ?? ''}/sign`, { data: DATA });
    const after = (await local.call('GET', '/kms/v1/keys/stats')).body;
    expect(Number(after['operationsThisMonth']) - Number(before['operationsThisMonth'])).toBe(1);
    expect(after).toMatchObject({ byAlgorithm: { ed25519: 1 }, byState: { active: after['total'] } });
    await local.restart('stop');
    expect((await local.call('GET', '/kms/v1/keys/stats')).body).toEqual(after);
  });
});

describe('the activation handshake', () => {
  test('answers the exact shape that clients insist on', async () => {
    const answer = await local.call('POST', '/billing/v1/sdk/activate', {
      sdkId: 'kms',
      sdkVersion: '1.0.0',
      runtime: 'node',
    });
    expect(answer.status).toBe(200);
    expect(Object.keys(answer.body).sort()).toEqual([
      'activated',
      'activatedAt',
      'activationToken',
      'expiresAt',
      'expiresInSeconds',
      'limits',
      'tenantId',
      'tier',
    ]);
    expect(answer.body).toMatchObject({
      activated: true,
      tenantId: local.tenantId,
      expiresInSeconds: 3600,
      activatedAt: expect.stringMatching(/Z$/),
      expiresAt: expect.stringMatching(/Z$/),
    });
    expect(Object.keys(answer.body['limits'] as object).sort()).toEqual([
      'aiInferenceEnabled',
      'aiTrainingEnabled',
      'apiCalls',
      'enclavesEnabled',
      'sseEnabled',
      'storageGB',
      'vaultEnabled',
    ]);
  });

  test('answers a wrong token in its own shape', async () => {
    const answer = await send(
      `${local.service.baseUrl}/billing/v1/sdk/activate`,
      'POST',
      `qnsp_pqc_${'A'.repeat(43)}`,
      {},
    );
    expect(answer).toMatchObject({
      status: 401,
      body: {
        activated: false,
        error: expect.stringMatching(/^The credential is not valid\..+\.$/),
        code: 'INVALID_API_KEY',
      },
    });
  });
});
