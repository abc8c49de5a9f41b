import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { serviceEntry, tempDir, type JwtIssuer, jwtIssuer } from '@qnsp/test-harness';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Answer, type LocalService, send, startLocalService } from './local-service.ts';

const IDENTITIES = '/kms/v1/identity-bindings';
const PLAINTEXT = Buffer.from('data').toString('base64');
const PLATFORM = `qnsp_pqc_${'p'.repeat(43)}`;
let issuer: JwtIssuer;
let local: LocalService;
let key: string;
const files = tempDir('qnsp-jwt-config-');

beforeAll(async () => {
  issuer = jwtIssuer();
  local = await startLocalService({ ...issuer.env, KMS_PLATFORM_TOKEN: PLATFORM, LOG_LEVEL: 'debug' });
  key = `/kms/v1/keys/${String((await local.call('POST', '/kms/v1/keys', {})).body['keyId'])}`;
});
afterAll(async () => {
  await local.end();
  await issuer.end();
  await files.remove();
});

const bind = (match: object, role = 'key_user') =>
  local.call('POST', IDENTITIES, { issuer: issuer.issuer, match, role });
const encryptAs = (token: string, headers: Record<string, string> = {}): Promise<Answer> =>
  send(`${local.service.baseUrl}${key}/encrypt`, 'POST', token, { plaintext: PLAINTEXT }, headers);
const metric = async (line: RegExp) =>
  Number(line.exec(await (await fetch(`${local.service.baseUrl}/metrics`)).text())?.[1] ?? 0);

test('a workload calls with the token that it has, and only what its binding gives it', async () => {
  const token = issuer.token('orders');
  const unbound = await encryptAs(token);
  expect(unbound.status).toBe(401);
  await bind({ sub: 'orders' });
  expect((await encryptAs(token)).status).toBe(200);
  expect((await send(`${local.service.baseUrl}/kms/v1/keys`, 'POST', token, {})).status).toBe(403);
  expect((await encryptAs(issuer.token('billing'))).status).toBe(401);
});

test('whatever is wrong with a token, the answer is the same as for an unknown API token', async () => {
  const unknown = await encryptAs(`qnsp_pqc_${'x'.repeat(43)}`);
  const sound = issuer.token('orders');
  const refused = [
    issuer.token('somebody'),
    issuer.token('orders', { aud: 'https://other.example' }),
    issuer.token('orders', { exp: 1 }),
    issuer.token('orders', { iss: 'https://other.example' }),
    `${sound.slice(0, -4)}AAAA`,
    'eyJhbGciOiJub25lIn0.e30.',
    'eyJ',
  ];
  const body = (answer: Answer) => ({ ...answer.body, requestId: '', timestamp: '' });
  for (const token of refused) {
    const answer = await encryptAs(token);
    expect(answer.status).toBe(401);
    expect(body(answer)).toEqual(body(unknown));
  }
  expect(await metric(/^kms_jwt_refusals_total\{reason="audience"\} (\d+)/m)).toBeGreaterThan(0);
  expect(await metric(/^kms_jwt_refusals_total\{reason="not-bound"\} (\d+)/m)).toBeGreaterThan(0);
  for (const token of [sound, ...refused.slice(0, 5)])
    for (const part of token.split('.')) expect(local.service.logs().includes(part)).toBe(false);
});

test('a workload of several tenants names the one that it calls for', async () => {
  const other = await send(`${local.service.baseUrl}/kms/v1/tenants`, 'POST', PLATFORM, { name: 'other' });
  const otherTenant = String(other.body['tenantId']);
  const match = { sub: 'shared' };
  await bind(match);
  const made = await send(
    `${local.service.baseUrl}${IDENTITIES}`,
    'POST',
    PLATFORM,
    { issuer: issuer.issuer, match, role: 'auditor' },
    { 'x-qnsp-tenant': otherTenant },
  );
  expect(made.status).toBe(201);
  const token = issuer.token('shared');
  expect(await encryptAs(token)).toMatchObject({ status: 403, body: { code: 'TENANT_MISMATCH' } });
  expect((await encryptAs(token, { 'x-qnsp-tenant': local.tenantId })).status).toBe(200);
  // It has no such key.
  expect((await encryptAs(token, { 'x-qnsp-tenant': otherTenant })).status).toBe(404);
});

test('a deleted binding and a denial count at once', async () => {
  const { bindingId } = (await bind({ sub: 'short' })).body;
  const token = issuer.token('short');
  expect((await encryptAs(token)).status).toBe(200);
  await local.call('POST', `${IDENTITIES}/deny`, { issuer: issuer.issuer, sub: 'short' });
  expect((await encryptAs(token)).status).toBe(401);
  const fresh = issuer.token('short', { iat: Math.floor(Date.now() / 1000) + 2 });
  expect((await encryptAs(fresh)).status).toBe(200);
  await local.call('DELETE', `${IDENTITIES}/${String(bindingId)}`);
  expect((await encryptAs(fresh)).status).toBe(401);
});

test.each([
  ['what is no JSON', '{'],
  [
    'an algorithm that needs a secret',
    '[{"issuer":"i","audience":"a","jwksUrl":"https://i.example","algorithms":["HS256"]}]',
  ],
  ['keys in clear text', '[{"issuer":"i","audience":"a","jwksUrl":"http://i.example"}]'],
  ['a file that is not there', '[{"issuer":"i","audience":"a","jwksFile":"/nowhere/jwks.json"}]'],
  ['a file that is no set of keys', '[{"issuer":"i","audience":"a","jwksFile":"FILE"}]'],
])('%s ends the start with 78 and one reason', (_what, issuers) => {
  const file = join(files.path, 'jwks.json');
  writeFileSync(file, '[]');
  const { status, stderr } = spawnSync(process.execPath, [serviceEntry()], {
    env: {
      PATH: process.env['PATH'],
      KMS_ROOT_KEY: Buffer.alloc(32, 7).toString('base64'),
      KMS_JWT_ISSUERS_JSON: issuers.replace('FILE', file),
    },
    encoding: 'utf8',
    timeout: 30_000,
    cwd: files.path,
  });
  expect(status).toBe(78);
  expect(stderr.match(/KMS_JWT_ISSUERS_JSON/g)).toHaveLength(1);
});
