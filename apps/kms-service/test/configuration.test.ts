import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, serviceEntry, tempDir } from '@qnsp/test-harness';
import { afterAll, describe, expect, test } from 'vitest';
import { ConfigurationError } from '../src/config/configuration-error.ts';
import { readConfig } from '../src/config/env.ts';
import { BEARER_TOKEN, evidenceEnv, SIGNING_KEY_PEM } from './evidence-sample.ts';
import { startLocalService } from './local-service.ts';

const ROOT = Buffer.alloc(32, 7).toString('base64');
const directory = tempDir('qnsp-config-');
afterAll(() => directory.remove());

function problemsOf(environment: Record<string, string>): readonly string[] {
  try {
    readConfig(environment);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems.map((problem) => problem.variable);
    throw error;
  }
  return [];
}

function runMain(environment: Record<string, string>) {
  return spawnSync(process.execPath, [serviceEntry()], {
    env: { PATH: process.env['PATH'], ...environment },
    encoding: 'utf8',
    timeout: 30_000,
    cwd: directory.path,
  });
}

describe('the configuration', () => {
  test('takes a restored copy by the exact time of its data, and no other way of writing it', () => {
    const accepted = '2026-11-23T12:00:00.007Z';
    const accept = (value: string) => ({ KMS_ROOT_KEY: ROOT, KMS_ACCEPT_RESTORED_COPY: value });
    expect(readConfig(accept(accepted)).acceptRestoredCopy).toEqual(new Date(accepted));
    for (const other of [
      'yes',
      '2026-11-23',
      '2026-11-23T12:00:00Z',
      '2026-11-23T13:00:00.007+01:00',
      '2026-02-30T00:00:00.000Z',
    ])
      expect(problemsOf(accept(other)), other).toEqual(['KMS_ACCEPT_RESTORED_COPY']);
  });

  test('has the documented defaults', () => {
    expect(readConfig({ KMS_ROOT_KEY: ROOT })).toMatchObject({
      port: 8095,
      defaultAlgorithm: { id: 'aes-256-gcm' },
      requireFips: false,
      socketFastPath: true,
      metricsByTenant: false,
      cache: { enabled: true, ttlSeconds: 600, maxKeys: 10_000, maxBytes: 268_435_456, redisUrl: undefined },
      database: {
        kind: 'postgres',
        url: 'postgresql://qnsp:qnsp-password@127.0.0.1:5432/kms',
        poolMax: 20,
        idleMs: 30_000,
        ssl: 'disable',
        migrate: 'auto',
      },
    });
  });

  test('takes what is set and fills only what is unset in the embedded default', async () => {
    const config = readConfig({
      KMS_EMBEDDED_DEFAULTS: 'true',
      KMS_DATA_DIR: directory.path,
      DATABASE_URL: 'postgresql://u@h/d',
      PORT: '1234',
    });
    expect(config).toMatchObject({
      port: 1234,
      database: { kind: 'postgres', url: 'postgresql://u@h/d' },
      root: { kind: 'file', path: join(directory.path, 'root.key') },
    });
    expect(readConfig({ KMS_EMBEDDED_DEFAULTS: 'true', KMS_ROOT_KEY: ROOT })).toMatchObject({
      root: { kind: 'given' },
      database: { kind: 'pglite' },
    });
  });

  test('reads secrets from files, and refuses a secret given twice', () => {
    const path = join(directory.path, 'database-url');
    writeFileSync(path, 'postgresql://u:p@h/d\n');
    expect(readConfig({ KMS_ROOT_KEY: ROOT, DATABASE_URL_FILE: path })).toMatchObject({
      database: { url: 'postgresql://u:p@h/d' },
    });
    expect(problemsOf({ KMS_ROOT_KEY: ROOT, DATABASE_URL_FILE: path, DATABASE_URL: 'postgresql://h/d' })).toEqual([
      'DATABASE_URL_FILE',
    ]);
    expect(problemsOf({ KMS_ROOT_KEY: ROOT, DATABASE_URL_FILE: join(directory.path, 'none') })).toEqual([
      'DATABASE_URL_FILE',
    ]);
  });

  test('takes the URL of a Redis, also from a file, and refuses what is none without showing it', () => {
    const path = join(directory.path, 'redis-url');
    writeFileSync(path, 'rediss://kms:hunter3@h:6380\n');
    expect(readConfig({ KMS_ROOT_KEY: ROOT, KMS_CACHE_REDIS_URL_FILE: path })).toMatchObject({
      cache: { redisUrl: 'rediss://kms:hunter3@h:6380' },
    });
    expect(problemsOf({ KMS_ROOT_KEY: ROOT, KMS_CACHE_REDIS_URL: 'http://kms:hunter3@h' })).toEqual([
      'KMS_CACHE_REDIS_URL',
    ]);
    const { status, stderr } = runMain({ KMS_ROOT_KEY: ROOT, KMS_CACHE_REDIS_URL: 'http://kms:hunter3@h' });
    expect([status, stderr.includes('hunter3')]).toEqual([78, false]);
  });

  test('lists every problem at once, names the variables, exits with 78 and shows no secret', () => {
    const { status, stderr } = runMain({
      PORT: 'eighty',
      KMS_ALGORITHM: 'ROT13',
      KMS_REQUIRE_FIPS: 'perhaps',
      KMS_CACHE_TTL_SECONDS: '-1',
      DATABASE_POOL_MAX: '0',
      DATABASE_SSL: 'sometimes',
      DATABASE_URL: 'mysql://root:hunter2@h/d',
      KMS_ROOT_KEY: 'c2VjcmV0LWJ1dC1zaG9ydA==',
      KMS_EVIDENCE_ENABLED: 'true',
      KMS_PKCS11_PIN: '987654',
      KMS_PKCS11_KEY_ID: 'xyz',
    });
    expect(status).toBe(78);
    for (const name of [
      'PORT',
      'KMS_ALGORITHM',
      'KMS_REQUIRE_FIPS',
      'KMS_CACHE_TTL_SECONDS',
      'DATABASE_POOL_MAX',
      'DATABASE_SSL',
      'DATABASE_URL',
      'KMS_ROOT_KEY',
      'AUDIT_SERVICE_URL',
      'AUDIT_BEARER_TOKEN',
      'AUDIT_SBOM_SIGNING_PRIVATE_KEY_PEM',
      'KMS_PKCS11_MODULE_PATH',
      'KMS_PKCS11_KEY_ID',
    ]) {
      expect(stderr).toMatch(new RegExp(`^  ${name}: `, 'm'));
    }
    for (const secret of ['hunter2', 'c2VjcmV0', '987654']) expect(stderr).not.toContain(secret);
  });

  test('evidence needs a receiver that can be trusted and a key that can sign', () => {
    const given = {
      KMS_ROOT_KEY: ROOT,
      KMS_EVIDENCE_ENABLED: 'true',
      AUDIT_SERVICE_URL: 'http://audit.example.com',
      AUDIT_BEARER_TOKEN: 'two words',
      AUDIT_SBOM_SIGNING_PRIVATE_KEY_PEM: 'no key',
    };
    expect([...problemsOf(given)].sort()).toEqual([
      'AUDIT_BEARER_TOKEN',
      'AUDIT_SBOM_SIGNING_PRIVATE_KEY_PEM',
      'AUDIT_SERVICE_URL',
    ]);
    const evidence = readConfig({ ...given, ...evidenceEnv('https://audit.example.com/base') }).evidence;
    expect(evidence).toMatchObject({ bearerToken: BEARER_TOKEN, retentionDays: undefined });
    const escaped = SIGNING_KEY_PEM.replaceAll('\n', String.raw`\n`);
    expect(() =>
      readConfig({ ...given, ...evidenceEnv('http://localhost:1'), AUDIT_SBOM_SIGNING_PRIVATE_KEY_PEM: escaped }),
    ).not.toThrow();
    const inside = { ...evidenceEnv('https://10.0.0.1'), KMS_ROOT_KEY: ROOT };
    expect(problemsOf(inside)).toEqual(['AUDIT_SERVICE_URL']);
    const allowed = readConfig({ ...inside, KMS_AUDIT_ALLOWED_HOSTS: '10.0.0.1, Audit.Internal' }).evidence;
    // The host of a URL is in lower case.
    expect(allowed?.allowedHosts).toEqual(new Set(['10.0.0.1', 'audit.internal']));
    expect(readConfig({ ...given, KMS_EVIDENCE_ENABLED: 'false' }).evidence).toBeUndefined();
  });

  test('takes one HSM by its variables, its slot as a number or as the label of a token', () => {
    const one = { KMS_PKCS11_MODULE_PATH: '/usr/lib/hsm.so', KMS_PKCS11_PIN: '1234' };
    expect(
      readConfig({ ...one, KMS_PKCS11_SLOT: '7', KMS_PKCS11_KEY_ID: '0aFF', KMS_PKCS11_LABEL: 'root' }),
    ).toMatchObject({
      root: null,
      hsms: [{ hsm: { id: 'hsm', modulePath: '/usr/lib/hsm.so', slot: 7, pin: '1234', keyId: '0aFF', label: 'root' } }],
    });
    const [{ hsm } = { hsm: undefined }] = readConfig({ ...one, KMS_PKCS11_SLOT: 'my token' }).hsms;
    expect(hsm).toEqual({ id: 'hsm', modulePath: '/usr/lib/hsm.so', tokenLabel: 'my token', pin: '1234' });
  });

  test('takes several HSMs as JSON, each with its name', () => {
    const pinFile = join(directory.path, 'pin');
    writeFileSync(pinFile, '5678\n');
    const list = [
      { modulePath: '/usr/lib/softhsm/libsofthsm2.so', slot: 0, pin: '1234' },
      { modulePath: '/usr/lib/other.so', slot: 'east', pinFile, id: 'hsm-east', timeoutMs: 900 },
      { modulePath: '/usr/lib/other.so', tokenLabel: 'west', pin: '9' },
    ];
    expect(readConfig({ KMS_PKCS11_CONFIGS_JSON: JSON.stringify(list) }).hsms.map(({ hsm }) => hsm)).toEqual([
      { id: 'hsm', modulePath: '/usr/lib/softhsm/libsofthsm2.so', slot: 0, pin: '1234' },
      { id: 'hsm-east', modulePath: '/usr/lib/other.so', tokenLabel: 'east', pin: '5678', timeoutMs: 900 },
      { id: 'hsm-3', modulePath: '/usr/lib/other.so', tokenLabel: 'west', pin: '9' },
    ]);
  });

  test('takes a PIN as it is given; a file loses only the end of its last line', () => {
    const pinFile = join(directory.path, 'exact-pin');
    const module = { KMS_PKCS11_MODULE_PATH: '/usr/lib/hsm.so' };
    const pinOf = (variables: Record<string, string>) => readConfig(variables).hsms[0]?.hsm.pin;
    for (const pin of ['1234 ', ' 1234', ' 12 34\t', 'ends in a line\n', ' ']) {
      const inList = (entry: object) => ({
        KMS_PKCS11_CONFIGS_JSON: JSON.stringify([{ modulePath: '/usr/lib/hsm.so', ...entry }]),
      });
      expect(pinOf({ ...module, KMS_PKCS11_PIN: pin })).toBe(pin);
      expect(pinOf(inList({ pin }))).toBe(pin);
      for (const end of ['\n', '\r\n']) {
        writeFileSync(pinFile, `${pin}${end}`);
        expect(pinOf(inList({ pinFile }))).toBe(pin);
        if (pin.trim() !== '') expect(pinOf({ ...module, KMS_PKCS11_PIN_FILE: pinFile })).toBe(pin);
      }
    }
    writeFileSync(pinFile, '\n');
    expect(problemsOf({ ...module, KMS_PKCS11_PIN_FILE: pinFile })).toContain('KMS_PKCS11_PIN_FILE');
  });

  test('names every problem of every HSM and shows no PIN', () => {
    const secrets = ['hunter2', 'hunter3'];
    const list = [
      { modulePath: 'relative.so', slot: -1, pin: secrets[0], keyId: 'zz', id: 'Upper', poolSize: 0 },
      { slot: 1, color: 'blue', label: '' },
      7,
      { modulePath: '/a.so', pin: secrets[1], pinFile: '/none' },
      { modulePath: '/a.so', pin: '1', id: 'twice' },
      { modulePath: '/b.so', pin: '1', id: 'twice' },
      { modulePath: '/b.so', pin: '1', id: 'software' },
    ];
    const L = 'KMS_PKCS11_CONFIGS_JSON';
    const named = problemsOf({ [L]: JSON.stringify(list) });
    for (const name of [
      `${L}[0].modulePath`,
      `${L}[0].slot`,
      `${L}[0].keyId`,
      `${L}[0].id`,
      `${L}[0].poolSize`,
      `${L}[1]`,
      `${L}[1].modulePath`,
      `${L}[1].pin`,
      `${L}[1].label`,
      `${L}[2]`,
      `${L}[3].pinFile`,
      `${L}[5].id`,
      `${L}[6].id`,
    ])
      expect(named).toContain(name);
    for (const json of [JSON.stringify(list), `[{"pin":"hunter2"`, '"hunter2"', '[]']) {
      const { status, stderr } = runMain({ [L]: json });
      expect(status).toBe(78);
      for (const secret of secrets) expect(stderr).not.toContain(secret);
    }
  });

  test('refuses both forms at once', () => {
    const json = JSON.stringify([{ modulePath: '/a.so', pin: '1' }]);
    expect(problemsOf({ KMS_PKCS11_CONFIGS_JSON: json, KMS_PKCS11_PIN: '1' })).toEqual(['KMS_PKCS11_PIN']);
    expect(problemsOf({ KMS_PKCS11_SLOT: '0' })).toEqual(['KMS_PKCS11_MODULE_PATH', 'KMS_PKCS11_PIN']);
  });

  test('without any root key there is no start', () => {
    expect(problemsOf({})).toEqual(['KMS_ROOT_KEY']);
  });

  test('a FIPS mode that the process cannot enter ends the start before it listens, saying what is missing', async () => {
    const { status, stderr } = runMain({
      KMS_EMBEDDED_DEFAULTS: 'true',
      KMS_DATA_DIR: join(directory.path, 'fips'),
      KMS_REQUIRE_FIPS: 'true',
      PORT: String(await freePort()),
    });
    expect(status).toBe(78);
    expect(stderr).toMatch(/KMS_REQUIRE_FIPS: .*FIPS provider/);
    expect(existsSync(join(directory.path, 'fips', 'root.key'))).toBe(false);
  });
});

describe('the root', () => {
  test('another, a lost and an open root key file end the start with 78, and the right one opens everything again', {
    timeout: 60_000,
  }, async () => {
    const local = await startLocalService();
    const key = await local.call('POST', '/kms/v1/keys', { name: 'kept' });
    const path = join(local.dataDir, 'root.key');
    const environment = { ...local.service.env, PORT: String(await freePort()) };
    await local.service.stop();
    const root = readFileSync(path);

    renameSync(path, `${path}.away`);
    const lost = runMain(environment);
    expect(lost).toMatchObject({ status: 78 });
    expect(lost.stderr).toMatch(/root\.key is missing.*check value/);
    expect(existsSync(path)).toBe(false);

    const other = runMain({ ...environment, KMS_ROOT_KEY: ROOT });
    expect(other).toMatchObject({ status: 78 });
    expect(other.stderr).toMatch(/expects the check value [0-9a-f]{16}, the configured root has [0-9a-f]{16}/);

    writeFileSync(path, root, { mode: 0o644 });
    chmodSync(path, 0o644);
    expect(runMain(environment)).toMatchObject({ status: 78, stderr: expect.stringContaining('chmod 600') });

    chmodSync(path, 0o600);
    await local.restart('stop');
    expect((await local.call('GET', `/kms/v1/keys/${String(key.body['keyId'])}`)).body).toMatchObject({ name: 'kept' });
    await local.end();
  });
});
