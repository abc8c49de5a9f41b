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

describe('the dialects of published clients', () => {
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
      body: { activated: false, error: 'INVALID_API_KEY', code: 'INVALID_API_KEY' },
    });
  });
});
