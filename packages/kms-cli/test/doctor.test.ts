import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createDatabase, initSoftHsmToken, startRedis } from '@qnsp/test-harness';
import * as diagnosis from '@qnsp/kms-service/diagnosis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Finding } from '../src/commands/doctor/finding.ts';
import type { DiagnosisModule } from '../src/commands/doctor/host-checks.ts';
import { EXIT } from '../src/terminal/exit-codes.ts';
import { callKms, type LocalKms, startEmbeddedKms } from './local-kms.ts';

// The command loads the module without its types: what it takes it for is checked here.
const checked: DiagnosisModule = diagnosis;
let kms: LocalKms;
beforeAll(async () => {
  expect(Object.keys(checked)).toEqual(['diagnose']);
  kms = await startEmbeddedKms();
});
afterAll(() => kms.end());

async function doctor(environment: Readonly<Record<string, string>>) {
  const { code, out } = await callKms(environment, ['--output', 'json', 'doctor']);
  const findings = JSON.parse(out) as readonly Finding[];
  const wrong = findings.filter(({ status }) => status === 'wrong');
  return { code, findings, wrong: Object.fromEntries(wrong.map(({ check, message }) => [check, message])) };
}

const embedded = () => ({ ...kms.environment, KMS_EMBEDDED_DEFAULTS: 'true' });

test('a healthy service has nothing wrong', async () => {
  const { code, wrong, findings } = await doctor(embedded());
  expect([code, wrong]).toEqual([EXIT.done, {}]);
  expect(findings.map(({ check }) => check)).toEqual(
    expect.arrayContaining(['configuration', 'database', 'service', 'clock', 'token']),
  );
});

test('a setting, a service and a token that are wrong are named', async () => {
  expect((await doctor({ ...embedded(), PORT: 'eighty' })).wrong).toEqual({
    configuration: expect.stringMatching(/^PORT: /),
  });
  expect((await doctor({ ...embedded(), KMS_TOKEN: 'x' })).wrong).toEqual({
    token: expect.stringMatching(/KMS_TOKEN/),
  });
  const away = await doctor({ KMS_URL: 'http://127.0.0.1:1', KMS_TOKEN: 'x' });
  expect(away).toMatchObject({ code: EXIT.failed, wrong: { service: expect.stringMatching(/start the service/) } });
});

test('a database, an HSM and a Redis that do not answer are named, and those that do are not', {
  timeout: 90_000,
}, async () => {
  const root = { KMS_ROOT_KEY: randomBytes(32).toString('base64') };
  const away = await doctor({
    ...kms.environment,
    ...root,
    DATABASE_URL: 'postgresql://u:hunter2@127.0.0.1:1/d',
    KMS_CACHE_REDIS_URL: 'redis://:hunter3@127.0.0.1:1',
    KMS_PKCS11_MODULE_PATH: '/nowhere/module.so',
    KMS_PKCS11_SLOT: '0',
    KMS_PKCS11_PIN: '1234',
  });
  expect(away.wrong).toMatchObject({
    database: expect.any(String),
    'HSM hsm': expect.stringMatching(/KMS_PKCS11/),
    Redis: expect.stringMatching(/KMS_CACHE_REDIS_URL/),
  });
  expect(JSON.stringify(away)).not.toMatch(/hunter/);

  const [database, redis] = await Promise.all([createDatabase(), startRedis()]);
  const token = await initSoftHsmToken({ label: 'doctor', pin: '1234', soPin: '12345678' });
  process.env['SOFTHSM2_CONF'] = token.configPath;
  try {
    const there = {
      ...kms.environment,
      DATABASE_URL: database.url,
      KMS_CACHE_REDIS_URL: redis.url,
      KMS_PKCS11_MODULE_PATH: token.modulePath,
      KMS_PKCS11_SLOT: 'doctor',
      KMS_PKCS11_PIN: '1234',
    };
    const fresh = (await doctor(there)).wrong;
    expect(Object.keys(fresh).sort()).toEqual(['HSM hsm', 'database']);
    expect(fresh['HSM hsm']).toMatch(/kms root init/);
    expect(await callKms(there, ['root', 'init'])).toMatchObject({ code: EXIT.done });
    expect((await doctor(there)).wrong).toEqual({});
  } finally {
    await Promise.all([database.drop(), redis.stop(), token.remove()]);
  }
});

test('a clock that is off is named', async () => {
  const server = createServer((_request, response) => {
    const timestamp = new Date(Date.now() - 90_000).toISOString();
    const health = { status: 'ok', service: 'kms-service', version: '1', timestamp, uptime: 1, checks: {} };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(health));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // A server that listens on TCP has such an address.
  const { port } = server.address() as AddressInfo;
  try {
    const { wrong } = await doctor({ KMS_URL: `http://127.0.0.1:${port}`, KMS_TOKEN: 'x' });
    expect(wrong['clock']).toMatch(/by (?:89|90) seconds: synchronise both with NTP/);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});
