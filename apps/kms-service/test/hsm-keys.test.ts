import { spawnSync } from 'node:child_process';
import { constants, hash, verify } from 'node:crypto';
import { createDatabase, serviceEntry, startService, tempDir, type TestDatabase } from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LocalService, startLocalService } from './local-service.ts';
import { makeTokens, PIN, type Tokens } from './two-tokens.ts';

const DATA = Buffer.from('some data').toString('base64');

const directory = tempDir('qnsp-hsm-settings-');

let tokens: Tokens;
let local: LocalService;
/** One that no root has been established in, and one whose root is in the HSM. */
let unused: TestDatabase;
let used: TestDatabase;

beforeAll(async () => {
  [tokens, unused, used] = await Promise.all([makeTokens(['main']), createDatabase(), createDatabase()]);
  local = await startLocalService({
    ...tokens.env,
    KMS_PKCS11_MODULE_PATH: tokens.modulePath,
    KMS_PKCS11_SLOT: 'main',
    KMS_PKCS11_PIN: PIN,
  });
});
afterAll(async () => {
  await local?.end();
  await tokens.remove();
  await directory.remove();
  await Promise.all([unused.drop(), used.drop()]);
});

async function create(body: object = {}): Promise<{ readonly path: string; readonly key: Record<string, unknown> }> {
  const { status, body: key } = await local.call('POST', '/kms/v1/keys', { protectionLevel: 'hsm', ...body });
  expect(status, JSON.stringify(key)).toBe(201);
  return { path: `/kms/v1/keys/${String(key['keyId'])}`, key };
}

const objectsInHsm = async () => (await tokens.show('main', '--list-objects')).match(/qnsp-kms\/v1\//g)?.length ?? 0;

describe('a service whose root is in an HSM', () => {
  test('needs no other root key, and the root never leaves the token', async () => {
    const shown = await tokens.show('main', '--list-objects', '--type', 'secrkey');
    expect(shown).toMatch(/label:\s+qnsp-kms-root/);
    expect(shown).toMatch(/Access:.*never extractable/);
    expect((await local.call('GET', '/health')).body).toMatchObject({
      status: 'ok',
      checks: { roots: { status: 'ok' }, residentKeys: { status: 'ok' }, random: { status: 'ok' } },
    });
  });

  test('seals software keys under it', async () => {
    const { body } = await local.call('POST', '/kms/v1/keys', {});
    expect(body).toMatchObject({ protectionLevel: 'software', provider: 'hsm' });
  });

  test('gives random bytes', async () => {
    const draws = await Promise.all([1, 2, 3].map(() => local.call('GET', '/kms/v1/random?bytes=64')));
    expect(new Set(draws.map(({ body }) => body['random'])).size).toBe(3);
  });
});

describe('a wrong setting of the HSM ends the start with 78 and says which:', { timeout: 600_000 }, () => {
  const run = (change: Record<string, string>) =>
    spawnSync(process.execPath, [serviceEntry()], {
      env: {
        PATH: process.env['PATH'],
        ...tokens.env,
        KMS_EMBEDDED_DEFAULTS: 'true',
        KMS_DATA_DIR: directory.path,
        DATABASE_URL: unused.url,
        PORT: '0',
        KMS_PKCS11_MODULE_PATH: tokens.modulePath,
        KMS_PKCS11_SLOT: 'main',
        KMS_PKCS11_PIN: PIN,
        ...change,
      },
      encoding: 'utf8',
      timeout: 60_000,
    });

  test.each([
    ['the module', { KMS_PKCS11_MODULE_PATH: '/usr/lib/none.so' }, /none\.so cannot be loaded/],
    [
      'what the module needs',
      { SOFTHSM2_CONF: '/nowhere/softhsm2.conf' },
      /cannot be initialised \(CKR_GENERAL_ERROR\)/,
    ],
    ['the slot', { KMS_PKCS11_SLOT: '12345' }, /No initialised token matches slot 12345/],
    ['the PIN', { KMS_PKCS11_PIN: '999000' }, /the token refused the PIN/],
  ])('%s', (_what, change, says) => {
    const { status, stderr } = run(change);
    expect([status, stderr]).toEqual([78, expect.stringMatching(says)]);
    expect(stderr).not.toContain('999000');
  });

  test('a root that may do more than a root may, as other tools make them', async () => {
    await tokens.show('main', '--keygen', '--key-type', 'AES:32', '--id', '77', '--label', 'weak');
    const { status, stderr } = run({ KMS_PKCS11_LABEL: 'weak' });
    expect([status, stderr]).toEqual([78, expect.stringMatching(/root of the HSM hsm is refused: CKA_\w+ must be/)]);
  });

  test('the key id or the label of the root, with the root that the database expects', async () => {
    const settings = [{ KMS_PKCS11_KEY_ID: '00ff' }, { KMS_PKCS11_LABEL: 'another' }];
    const first = await startService({
      env: {
        ...tokens.env,
        KMS_EMBEDDED_DEFAULTS: 'true',
        KMS_PKCS11_MODULE_PATH: tokens.modulePath,
        KMS_PKCS11_SLOT: 'main',
        KMS_PKCS11_PIN: PIN,
        KMS_DATA_DIR: directory.path,
        DATABASE_URL: used.url,
      },
    });
    await first.stop();
    for (const setting of settings) {
      const { status, stderr } = run({ DATABASE_URL: used.url, ...setting });
      expect([status, stderr]).toEqual([
        78,
        expect.stringMatching(/expects the root hsm with the check value [0-9a-f]{16}/),
      ]);
    }
  });
});

describe('keys in an HSM', () => {
  test('of AES-256 encrypt, decrypt, reencrypt, wrap and unwrap there', async () => {
    const { path, key } = await create();
    expect(key).toMatchObject({ protectionLevel: 'hsm', provider: 'hsm', algorithm: 'aes-256-gcm' });
    const context = { order: '7' };
    const sealed = await local.call('POST', `${path}/encrypt`, { plaintext: DATA, context });
    const { ciphertext } = sealed.body;
    expect(Buffer.from(String(ciphertext), 'base64')[1]).toBe(2);
    expect((await local.call('POST', '/kms/v1/decrypt', { ciphertext, context })).body).toMatchObject({
      plaintext: DATA,
    });
    expect(await local.call('POST', '/kms/v1/decrypt', { ciphertext })).toMatchObject({ status: 422 });
    const moved = await local.call('POST', `${path}/reencrypt`, { ciphertext, context });
    expect(
      (await local.call('POST', `${path}/decrypt`, { ciphertext: moved.body['ciphertext'], context })).status,
    ).toBe(200);
    const wrapped = await local.call('POST', `${path}/wrap`, { dataKey: DATA });
    expect(wrapped.body).toMatchObject({ provider: 'hsm' });
    const { wrappedKey } = wrapped.body;
    for (const providerHint of ['hsm', 'another'])
      expect((await local.call('POST', `${path}/unwrap`, { wrappedKey, providerHint })).body).toMatchObject({
        dataKey: DATA,
      });
    const fresh = await local.call('POST', `${path}/data-key`, {});
    const opened = await local.call('POST', `${path}/unwrap`, { wrappedKey: fresh.body['wrappedKey'] });
    expect(opened.body['dataKey']).toBe(fresh.body['dataKey']);
  });

  test.each(['hmac-sha256', 'hmac-sha384', 'hmac-sha512'])('of %s make and check MACs there', async (algorithm) => {
    const { path } = await create({ algorithm });
    const { body } = await local.call('POST', `${path}/mac`, { data: DATA });
    expect((await local.call('POST', `${path}/mac/verify`, { data: DATA, mac: body['mac'] })).body).toMatchObject({
      valid: true,
    });
    const other = Buffer.from('other').toString('base64');
    expect((await local.call('POST', `${path}/mac/verify`, { data: other, mac: body['mac'] })).body).toMatchObject({
      valid: false,
    });
  });

  test.each([
    ['ecdsa-p256', { hash: 'sha256', format: 'der' }],
    ['ecdsa-p384', { hash: 'sha512', format: 'ieee-p1363' }],
    ['rsa-2048', { hash: 'sha384', scheme: 'pss' }],
    ['rsa-2048', { hash: 'sha512', scheme: 'pkcs1-v1_5' }],
  ] as const)('of %s sign a digest there with %o', { timeout: 600_000 }, async (algorithm, options) => {
    const { path } = await create({ algorithm });
    const message = Buffer.from('hashed elsewhere');
    const data = hash(options.hash, message, 'base64');
    const { body: signed } = await local.call('POST', `${path}/sign`, { data, ...options, messageType: 'digest' });
    const signature = String(signed['signature']);
    const { body: shown } = await local.call('GET', `${path}/public-key`);
    const key = {
      key: String(shown['publicKeyPem']),
      ...('format' in options && { dsaEncoding: options.format }),
      ...('scheme' in options && {
        padding: options.scheme === 'pss' ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING,
      }),
    };
    expect(verify(options.hash, message, key, Buffer.from(signature, 'base64'))).toBe(true);
    const ofMessage = { data: message.toString('base64'), signature, ...options };
    expect((await local.call('POST', `${path}/verify`, ofMessage)).body).toMatchObject({ valid: true });
    const short = { data: Buffer.alloc(20).toString('base64'), ...options, messageType: 'digest' };
    expect((await local.call('POST', `${path}/sign`, short)).status).toBe(400);
  });

  test.each([
    ['ecdsa-p256', { format: 'der' }],
    ['ecdsa-p256', { format: 'ieee-p1363' }],
    ['ecdsa-p384', {}],
    ['ed25519', {}],
    ['rsa-2048', { scheme: 'pss' }],
    ['rsa-2048', { scheme: 'pkcs1-v1_5' }],
    ['rsa-3072', {}],
  ])('of %s sign there with %o', { timeout: 600_000 }, async (algorithm, options) => {
    const { path } = await create({ algorithm });
    const signed = await local.call('POST', `${path}/sign`, { data: DATA, ...options });
    const { signature } = signed.body;
    expect((await local.call('POST', `${path}/verify`, { data: DATA, signature, ...options })).body).toMatchObject({
      valid: true,
    });
    expect((await local.call('GET', `${path}/public-key`)).body).toMatchObject({
      publicKeyPem: expect.stringContaining('BEGIN PUBLIC KEY'),
    });
  });

  test('of RSA are refused for encryption where the token lacks OAEP with SHA-256', { timeout: 600_000 }, async () => {
    const body = { algorithm: 'rsa-2048', purpose: 'encryption', protectionLevel: 'hsm' };
    const before = await objectsInHsm();
    const { status, body: answer } = await local.call('POST', '/kms/v1/keys', body);
    expect([status, answer['message']]).toEqual([400, expect.stringMatching(/its RSA keys only sign/)]);
    expect(await objectsInHsm()).toBe(before);
  });

  test('that the token cannot hold are refused with what it can', async () => {
    const refused = await local.call('POST', '/kms/v1/keys', {
      protectionLevel: 'hsm',
      algorithm: 'chacha20-poly1305',
    });
    expect(refused).toMatchObject({ status: 400, body: { code: 'BAD_REQUEST' } });
    expect(refused.body['message']).toMatch(/aes-256-gcm.*ecdsa-p256/);
  });

  test('stay software keys under the root of the HSM where they are post-quantum, and the answer says so', async () => {
    const { key, path } = await create({ algorithm: 'ML-DSA-65' });
    expect(key).toMatchObject({
      protectionLevel: 'software',
      provider: 'hsm',
      warnings: [expect.stringMatching(/software key/)],
    });
    expect((await local.call('POST', `${path}/sign`, { data: DATA })).status).toBe(200);
  });

  test('are rotated and shredded with their objects', async () => {
    const before = await objectsInHsm();
    const { path, key } = await create();
    const sealed = await local.call('POST', `${path}/encrypt`, { plaintext: DATA });
    expect((await local.call('POST', `${path}/rotate`)).body).toMatchObject({
      currentVersion: 2,
      protectionLevel: 'hsm',
    });
    const { ciphertext } = sealed.body;
    expect((await local.call('POST', '/kms/v1/decrypt', { ciphertext })).body).toMatchObject({ plaintext: DATA });
    expect(await objectsInHsm()).toBe(before + 2);
    const shredded = await local.call('POST', `${path}/shred`, { confirmation: `SHRED-${String(key['keyId'])}` });
    expect(shredded).toMatchObject({ status: 200, body: { state: 'destroyed' } });
    expect(await objectsInHsm()).toBe(before);
    expect((await local.call('POST', '/kms/v1/decrypt', { ciphertext })).status).toBe(409);
  });

  test('are not imported', async () => {
    const { body } = await local.call('GET', '/kms/v1/byok/parameters?wrappingAlgorithm=ML_KEM_768_AES_KWP');
    const refused = await local.call('POST', '/kms/v1/byok/import', {
      algorithm: 'aes-256-gcm',
      protectionLevel: 'hsm',
      wrappingAlgorithm: 'ML_KEM_768_AES_KWP',
      importToken: body['importToken'],
      wrappedMaterial: DATA,
    });
    expect(refused).toMatchObject({ status: 400 });
    expect(refused.body['message']).toMatch(/outside an HSM cannot be imported into one/);
  });

  test('outlive a restart and a kill', { timeout: 600_000 }, async () => {
    const { path } = await create();
    const sealed = await local.call('POST', `${path}/encrypt`, { plaintext: DATA });
    for (const how of ['stop', 'kill9'] as const) {
      await local.restart(how);
      const opened = await local.call('POST', `${path}/decrypt`, { ciphertext: sealed.body['ciphertext'] });
      expect(opened.body).toMatchObject({ plaintext: DATA });
    }
  });
});
