import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LocalService, send, startEmbeddedService } from './local-service.ts';

const b64 = (data: Uint8Array | string) => Buffer.from(data).toString('base64');
let local: LocalService;

beforeAll(async () => {
  local = await startEmbeddedService();
});
afterAll(async () => {
  await local.end();
});

describe('the embedded default', () => {
  test('writes its secrets into files that only the owner can read', () => {
    for (const file of ['client.json', 'root.key'])
      expect(statSync(join(local.dataDir, file)).mode & 0o777, file).toBe(0o600);
    const client = JSON.parse(readFileSync(join(local.dataDir, 'client.json'), 'utf8')) as Record<string, unknown>;
    expect(Object.keys(client).sort()).toEqual(['apiToken', 'aws', 'baseUrl', 'tenantId']);
    expect(client['baseUrl']).toBe(local.service.baseUrl);
    expect(client['apiToken']).toMatch(/^qnsp_pqc_/);
  });

  test('prints a curl that works when pasted', () => {
    const printed = /curl -sS [\s\S]*?first key"}'/.exec(local.service.logs())?.[0];
    expect(printed).toBeDefined();
    const answer = execFileSync('bash', ['-c', printed ?? 'false'], {
      encoding: 'utf8',
      env: { ...process.env, PATH: `${join(process.execPath, '..')}:${process.env['PATH']}` },
    });
    expect(JSON.parse(answer)).toMatchObject({ name: 'my first key', state: 'active' });
  });

  test('encrypts and decrypts over HTTP', async () => {
    const key = await local.call('POST', '/kms/v1/keys', { name: 'first' });
    expect(key.status).toBe(201);
    expect(key.body).toMatchObject({
      algorithm: 'aes-256-gcm',
      state: 'active',
      currentVersion: 1,
      tenantId: local.tenantId,
    });
    const path = `/kms/v1/keys/${String(key.body['keyId'])}`;
    const sealed = await local.call('POST', `${path}/encrypt`, { plaintext: b64('hello'), context: { row: '1' } });
    expect(sealed).toMatchObject({ status: 200, body: { keyVersion: 1, algorithm: 'aes-256-gcm' } });
    const opened = await local.call('POST', `${path}/decrypt`, {
      ciphertext: sealed.body['ciphertext'],
      context: { row: '1' },
    });
    expect(opened).toMatchObject({ status: 200, body: { plaintext: b64('hello'), keyVersion: 1 } });
  });

  test('keeps the plaintext, the token and the root key out of its log and of the database files', async () => {
    const secret = randomBytes(24).toString('hex');
    const key = await local.call('POST', '/kms/v1/keys', {});
    await local.call('POST', `/kms/v1/keys/${String(key.body['keyId'])}/encrypt`, { plaintext: b64(secret) });
    const rootKey = readFileSync(join(local.dataDir, 'root.key'), 'utf8').trim();
    const files = execFileSync(
      'cat',
      readdirSync(join(local.dataDir, 'db'), { recursive: true, withFileTypes: true })
        .filter((file) => file.isFile())
        .map((file) => join(file.parentPath, file.name)),
      { maxBuffer: 2 ** 30 },
    );
    for (const text of [secret, b64(secret), local.apiToken, rootKey]) {
      expect(local.service.logs()).not.toContain(text);
      expect(files.includes(Buffer.from(text))).toBe(false);
    }
    expect(files.includes(Buffer.from(rootKey, 'base64'))).toBe(false);
  });
});

describe('a restart', () => {
  test('after kill -9 and three rotations every record still decrypts, with the same tenant and token', {
    timeout: 120_000,
  }, async () => {
    const key = await local.call('POST', '/kms/v1/keys', { name: 'survivor' });
    const path = `/kms/v1/keys/${String(key.body['keyId'])}`;
    const ciphertexts: unknown[] = [];
    for (let round = 0; round < 4; round += 1) {
      for (let batch = 0; batch < 10; batch += 1) {
        const answers = await Promise.all(
          Array.from({ length: 25 }, (_, index) =>
            local.call('POST', `${path}/encrypt`, { plaintext: b64(`record ${ciphertexts.length + index}`) }),
          ),
        );
        ciphertexts.push(...answers.map((answer) => answer.body['ciphertext']));
      }
      if (round < 3) expect((await local.call('POST', `${path}/rotate`)).status).toBe(200);
    }
    expect(ciphertexts).toHaveLength(1000);
    await local.restart('kill9');
    expect(JSON.parse(readFileSync(join(local.dataDir, 'client.json'), 'utf8'))).toMatchObject({
      tenantId: local.tenantId,
      apiToken: local.apiToken,
    });
    for (let at = 0; at < ciphertexts.length; at += 50) {
      const answers = await Promise.all(
        ciphertexts.slice(at, at + 50).map((ciphertext) => local.call('POST', '/kms/v1/decrypt', { ciphertext })),
      );
      expect(answers.map((answer) => answer.body['plaintext'])).toEqual(
        answers.map((_, index) => b64(`record ${at + index}`)),
      );
    }
    expect((await local.call('GET', path)).body).toMatchObject({ currentVersion: 4 });
  });

  test('SIGTERM drains, says so and ends with 0', async () => {
    const before = local.service;
    await local.restart('stop');
    expect(before.child.exitCode).toBe(0);
    expect((await local.call('GET', '/kms/v1/keys?limit=1')).status).toBe(200);
  });
});

describe('health', () => {
  test('live, ready and health are open; the rest is not', async () => {
    for (const path of ['/livez', '/readyz', '/health', '/kms/v1/health', '/openapi.json']) {
      expect((await send(`${local.service.baseUrl}${path}`, 'GET', undefined)).status, path).toBe(200);
    }
    expect((await send(`${local.service.baseUrl}/health`, 'GET', undefined)).body).toMatchObject({
      status: 'ok',
      service: 'kms-service',
    });
    expect(await send(`${local.service.baseUrl}/kms/v1/keys`, 'GET', undefined)).toMatchObject({
      status: 401,
      body: { code: 'UNAUTHORIZED', error: 'UNAUTHORIZED', statusCode: 401 },
    });
  });
});
