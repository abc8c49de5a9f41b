import { randomBytes } from 'node:crypto';
import * as ceremony from '@qnsp/kms-service/root-ceremony';
import {
  createDatabase,
  initSoftHsmToken,
  type Service,
  type SoftHsmToken,
  startService,
  type TestDatabase,
} from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { RootCeremonyModule, RootsReport } from '../src/commands/root-ceremony-module.ts';
import { EXIT } from '../src/terminal/exit-codes.ts';
import { run } from '../src/run.ts';

const PLATFORM = `qnsp_pqc_${randomBytes(32).toString('base64url')}`;
const DATA = Buffer.from('data').toString('base64');
const PIN = '246813';
const root = randomBytes(32).toString('base64');

// The commands load the module without its types: what they take it for is checked here.
const checked: RootCeremonyModule = ceremony;

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function kms(environment: Readonly<Record<string, string>>, ...args: string[]): Promise<Ran> {
  let [out, err] = ['', ''];
  const code = await run(args, {
    environment,
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
  });
  return { code, out, err };
}

let database: TestDatabase;
let token: SoftHsmToken;
let onSoftware: Record<string, string>;
let onHsm: Record<string, string>;

beforeAll(async () => {
  expect(Object.keys(checked)).toContain('rootOperations');
  database = await createDatabase();
  token = await initSoftHsmToken({ label: 'ceremony', pin: PIN, soPin: '12345678' });
  // The module reads where its tokens are from the environment of the process that loads it.
  process.env['SOFTHSM2_CONF'] = token.configPath;
  onSoftware = { DATABASE_URL: database.url, KMS_ROOT_KEY: root };
  onHsm = {
    DATABASE_URL: database.url,
    KMS_PKCS11_MODULE_PATH: token.modulePath,
    KMS_PKCS11_SLOT: 'ceremony',
    KMS_PKCS11_PIN: PIN,
  };
});
afterAll(async () => {
  await token?.remove();
  await database?.drop();
});

const status = async (environment: Record<string, string>): Promise<RootsReport> =>
  JSON.parse((await kms(environment, '--output', 'json', 'root', 'status')).out) as RootsReport;

describe('the command line', () => {
  test('says what is wrong with it, and ends with 64', async () => {
    for (const args of [['root', 'sing'], ['root', 'add-provider'], ['--output', 'xml', 'root', 'status'], ['dance']]) {
      const { code, err } = await kms({}, ...args);
      expect([args, code]).toEqual([args, EXIT.usage]);
      expect(err).not.toBe('');
    }
    expect(await kms({}, 'root', '--help')).toMatchObject({ code: 0, out: expect.stringContaining('retire-provider') });
  });

  test('names every problem of the environment, and ends with 78', async () => {
    const { code, err } = await kms({ DATABASE_URL: 'mysql://u:hunter2@h/d', KMS_ROOT_KEY: 'short' }, 'root', 'status');
    expect(code).toBe(EXIT.configuration);
    expect(err).toMatch(/DATABASE_URL: .*\n.*KMS_ROOT_KEY: /);
    expect(err).not.toContain('hunter2');
  });

  test('ends with 69 when the database does not answer', async () => {
    const away = { ...onSoftware, DATABASE_URL: 'postgresql://u@127.0.0.1:1/d' };
    expect(await kms(away, 'root', 'status')).toMatchObject({ code: EXIT.unavailable });
  });
});

describe('the roots', { timeout: 600_000 }, () => {
  test('move from software to an HSM and to a new root in it, and nothing is lost', async () => {
    expect(await kms(onSoftware, 'root', 'init')).toMatchObject({ code: 0, err: '' });
    expect(await kms(onSoftware, 'root', 'init')).toMatchObject({ code: 1, err: expect.stringContaining('CONFLICT') });
    let service = await startService({ env: { ...onSoftware, KMS_PLATFORM_TOKEN: PLATFORM } });
    const sealed = await seal(service);

    const both = { ...onHsm, KMS_ROOT_KEY: root };
    const refused = await kms(onHsm, 'root', 'retire-provider', 'software');
    expect(refused).toMatchObject({ code: 1, err: expect.stringContaining('CONFLICT') });
    const added = await kms(both, 'root', 'add-provider', 'hsm');
    expect(added).toMatchObject({ code: 0, out: expect.stringMatching(/hsm\s+[0-9a-f]{16}\s+2/) });
    expect(await status(both)).toMatchObject({ masterKeys: 2, roots: [{ wraps: 2 }, { wraps: 2 }] });
    expect(await kms(both, 'root', 'add-provider', 'hsm-z')).toMatchObject({ code: 1 });

    expect(await kms(both, 'root', 'retire-provider', 'software')).toMatchObject({ code: 0 });
    await service.stop();
    const env = { ...onHsm, SOFTHSM2_CONF: token.configPath, KMS_PLATFORM_TOKEN: PLATFORM };
    service = await startService({ env });
    expect(await open(service, sealed)).toBe(DATA);

    const before = (await status(onHsm)).roots[0]?.checkValue ?? '';
    expect(await kms(onHsm, 'root', 'rotate', 'hsm')).toMatchObject({ code: EXIT.usage });
    const rotated = await kms(onHsm, 'root', 'rotate', 'hsm', '--new-label', 'root-2');
    expect(rotated).toMatchObject({ code: 0, err: '' });
    expect(await open(service, sealed)).toBe(DATA);
    await service.stop();
    const onNext = { ...env, KMS_PKCS11_LABEL: 'root-2' };
    service = await startService({ env: onNext });
    expect(await open(service, sealed)).toBe(DATA);
    await service.stop();
    const retired = await kms(onHsm, 'root', 'retire-provider', 'hsm', '--check-value', before);
    expect(retired).toMatchObject({ code: 0, out: expect.stringContaining(before) });
    const { roots } = await status({ ...onHsm, KMS_PKCS11_LABEL: 'root-2' });
    expect(roots).toMatchObject([{ providerId: 'hsm', inUse: true, answers: true, wraps: 2 }]);
    await expect(startService({ env })).rejects.toThrow(/expects the check value [0-9a-f]{16}/);
  });
});

describe('a software root', { timeout: 600_000 }, () => {
  test('moves to a new key, which then opens everything alone', async () => {
    const own = await createDatabase();
    const next = randomBytes(32).toString('base64');
    const onOld = { DATABASE_URL: own.url, KMS_ROOT_KEY: root };
    const onNew = { DATABASE_URL: own.url, KMS_ROOT_KEY: next };
    let service = await startService({ env: { ...onOld, KMS_PLATFORM_TOKEN: PLATFORM } });
    try {
      const sealed = await seal(service);
      const before = (await status(onOld)).roots[0]?.checkValue ?? '';
      for (const [wrong, says] of [
        [{}, /KMS_NEW_ROOT_KEY: must hold the new root key/],
        [{ KMS_NEW_ROOT_KEY: 'short' }, /KMS_NEW_ROOT_KEY: must hold the new root key/],
        [{ KMS_NEW_ROOT_KEY_FILE: '/nowhere' }, /KMS_NEW_ROOT_KEY_FILE: /],
      ] as const) {
        const refused = await kms({ ...onOld, ...wrong }, 'root', 'rotate', 'software');
        expect(refused).toMatchObject({ code: EXIT.configuration, err: expect.stringMatching(says) });
      }

      const rotated = await kms({ ...onOld, KMS_NEW_ROOT_KEY: next }, 'root', 'rotate', 'software');
      expect(rotated).toMatchObject({ code: 0, err: '' });
      expect(rotated.out + rotated.err).not.toContain(next);
      expect(await open(service, sealed)).toBe(DATA);
      await service.stop();
      service = await startService({ env: { ...onNew, KMS_PLATFORM_TOKEN: PLATFORM } });
      expect(await open(service, sealed)).toBe(DATA);

      const retired = await kms(onNew, 'root', 'retire-provider', 'software', '--check-value', before);
      expect(retired).toMatchObject({ code: 0 });
      expect((await status(onNew)).roots).toMatchObject([{ providerId: 'software', inUse: true, wraps: 2 }]);
      expect(await open(service, sealed)).toBe(DATA);
      await expect(startService({ env: onOld })).rejects.toThrow(/check value/);
    } finally {
      await service.stop();
      await own.drop();
    }
  });
});

interface Sealed {
  readonly tenantId: string;
  readonly ciphertext: unknown;
}

async function seal(service: Service): Promise<Sealed> {
  const { tenantId } = await post(service, '/kms/v1/tenants', { name: 'acme' });
  const { keyId } = await post(service, '/kms/v1/keys', {}, String(tenantId));
  const { ciphertext } = await post(service, '/kms/v1/encrypt', { keyId, plaintext: DATA }, String(tenantId));
  return { tenantId: String(tenantId), ciphertext };
}

async function open(service: Service, { tenantId, ciphertext }: Sealed): Promise<unknown> {
  return (await post(service, '/kms/v1/decrypt', { ciphertext }, tenantId))['plaintext'];
}

async function post(
  service: Service,
  path: string,
  body: unknown,
  tenantId?: string,
): Promise<Record<string, unknown>> {
  const response = await fetch(`${service.baseUrl}${path}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${PLATFORM}`,
      'content-type': 'application/json',
      ...(tenantId === undefined ? {} : { 'x-qnsp-tenant': tenantId }),
    },
    body: JSON.stringify(body),
  });
  // Every answer of the service is a JSON object.
  const answer = (await response.json()) as Record<string, unknown>;
  expect(response.ok, JSON.stringify(answer)).toBe(true);
  return answer;
}
