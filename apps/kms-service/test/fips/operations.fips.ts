import {
  createCipheriv,
  createPublicKey,
  encapsulate,
  generateKeyPairSync,
  hash,
  type KeyObject,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ALGORITHMS, type Algorithm } from '@qnsp/kms-core/algorithms';
import { parseExportLine } from '@qnsp/kms-audit';
import { SYSTEM_TENANT } from '@qnsp/kms-core/ports';
import { createDatabase, type Service, startService, tempDir, type TestDatabase } from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { evidenceEnv, type Receiver, startReceiver } from '../evidence-sample.ts';
import { send } from '../local-service.ts';
import { fipsEnvironment } from './fips-service.ts';

const DATA = Buffer.from('data').toString('base64');
const directory = tempDir('qnsp-fips-operations-');
const dataDir = join(directory.path, 'data');
const isMade = ({ importOnly }: Algorithm) => importOnly !== true;
const APPROVED = ALGORITHMS.filter((algorithm) => algorithm.fipsApproved && isMade(algorithm));
const NOT_APPROVED = ALGORITHMS.filter((algorithm) => !algorithm.fipsApproved);

let database: TestDatabase;
let receiver: Receiver;
let service: Service;
let token: string;
/** What keys protected before the service ran in FIPS mode. */
const before = { chacha: { path: '', ciphertext: '' }, hybrid: { path: '', ciphertext: '' }, agreement: { path: '' } };

const call = (method: string, path: string, body?: unknown) => send(`${service.baseUrl}${path}`, method, token, body);

async function start(env: Readonly<Record<string, string>>): Promise<void> {
  service = await startService({
    env: {
      KMS_EMBEDDED_DEFAULTS: 'true',
      DATABASE_URL: database.url,
      KMS_DATA_DIR: dataDir,
      ...evidenceEnv(receiver.url),
      ...env,
    },
  });
}

async function create(algorithm: string, purpose?: string): Promise<string> {
  const { status, body } = await call('POST', '/kms/v1/keys', {
    algorithm,
    ...(purpose === undefined ? {} : { purpose }),
  });
  expect(status, JSON.stringify(body)).toBe(201);
  return `/kms/v1/keys/${String(body['keyId'])}`;
}

async function answer(path: string, body: unknown): Promise<Readonly<Record<string, unknown>>> {
  const { status, body: answered } = await call('POST', path, body);
  expect(status, JSON.stringify(answered)).toBe(200);
  return answered;
}

beforeAll(async () => {
  [database, receiver] = await Promise.all([createDatabase(), startReceiver()]);
  await start({});
  token = (JSON.parse(readFileSync(join(dataDir, 'client.json'), 'utf8')) as { apiToken: string }).apiToken;
  for (const [name, algorithm] of [
    ['chacha', 'chacha20-poly1305'],
    ['hybrid', 'x25519-kyber-768'],
  ] as const) {
    before[name].path = await create(algorithm);
    before[name].ciphertext = String((await answer(`${before[name].path}/encrypt`, { plaintext: DATA }))['ciphertext']);
  }
  before.agreement.path = await create('x25519');
  await service.stop();
  await start({ ...(await fipsEnvironment()), KMS_FIPS_CERTIFICATE: '1234' });
});
afterAll(async () => {
  await service?.stop();
  await receiver?.close();
  await database?.drop();
  await directory.remove();
});

/** What each purpose of an algorithm is for, done once, with a result that tells whether it was done. */
const USES: Readonly<Record<string, (path: string, algorithm: Algorithm) => Promise<void>>> = {
  encryption: async (path) => {
    const { ciphertext } = await answer(`${path}/encrypt`, { plaintext: DATA });
    expect(await answer(`${path}/decrypt`, { ciphertext })).toMatchObject({ plaintext: DATA });
    const { wrappedKey } = await answer(`${path}/wrap`, { dataKey: DATA });
    expect(await answer(`${path}/unwrap`, { wrappedKey })).toMatchObject({ dataKey: DATA });
  },
  signing: async (path, { id }) => {
    const { signature } = await answer(`${path}/sign`, { data: DATA });
    expect(await answer(`${path}/verify`, { data: DATA, signature })).toMatchObject({ valid: true });
    if (!/^(?:ecdsa|rsa)-/.test(id)) return;
    const digest = { data: hash('sha384', Buffer.from('data'), 'base64'), messageType: 'digest', hash: 'sha384' };
    for (const scheme of id.startsWith('rsa-') ? ['pss', 'pkcs1-v1_5'] : [undefined]) {
      const { signature: ofDigest } = await answer(`${path}/sign`, { ...digest, scheme });
      const asked = { scheme, signature: ofDigest };
      expect(await answer(`${path}/verify`, { ...digest, ...asked })).toMatchObject({ valid: true });
      expect(await answer(`${path}/verify`, { data: DATA, hash: 'sha384', ...asked })).toMatchObject({ valid: true });
    }
  },
  mac: async (path) => {
    const { mac } = await answer(`${path}/mac`, { data: DATA });
    expect(await answer(`${path}/mac/verify`, { data: DATA, mac })).toMatchObject({ valid: true });
  },
  kem: async (path) => {
    const { ciphertext, sharedSecret } = await answer(`${path}/encapsulate`, {});
    expect(await answer(`${path}/decapsulate`, { ciphertext })).toMatchObject({ sharedSecret });
    const sealed = await answer(`${path}/encrypt`, { plaintext: DATA });
    expect(await answer(`${path}/decrypt`, { ciphertext: sealed['ciphertext'] })).toMatchObject({ plaintext: DATA });
  },
  derive: async (path) => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const peerPublicKey = publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
    expect(await answer(`${path}/derive`, { peerPublicKey })).toHaveProperty('derivedKey');
  },
};

/** Imports 32 bytes as a key. */
async function importOf(algorithm: string, wrappingAlgorithm: 'ML_KEM_768_AES_KWP' | 'RSA_AES_KEY_WRAP_SHA_256') {
  const parameters = await call('GET', `/kms/v1/byok/parameters?wrappingAlgorithm=${wrappingAlgorithm}`);
  expect(parameters.status, JSON.stringify(parameters.body)).toBe(200);
  const { importToken, publicKey } = parameters.body;
  const key = createPublicKey({ key: Buffer.from(String(publicKey), 'base64'), format: 'der', type: 'spki' });
  const [first, wrapping] = wrappingAlgorithm === 'ML_KEM_768_AES_KWP' ? kemTo(key) : oaepTo(key);
  const cipher = createCipheriv('id-aes256-wrap-pad', wrapping, Buffer.from('a65959a6', 'hex'));
  const wrapped = Buffer.concat([first, cipher.update(randomBytes(32)), cipher.final()]);
  const wrappedMaterial = wrapped.toString('base64');
  return call('POST', '/kms/v1/byok/import', { algorithm, wrappingAlgorithm, importToken, wrappedMaterial });
}

function kemTo(key: KeyObject): readonly [Buffer, Buffer] {
  const { ciphertext, sharedKey } = encapsulate(key);
  return [ciphertext, sharedKey];
}

function oaepTo(key: KeyObject): readonly [Buffer, Buffer] {
  const wrapping = randomBytes(32);
  return [publicEncrypt({ key, oaepHash: 'sha256' }, wrapping), wrapping];
}

describe('in FIPS mode', () => {
  test('/health names the provider, its version and the certificate that the operator states', async () => {
    const { body } = await call('GET', '/health');
    expect(body).toMatchObject({
      status: 'ok',
      checks: {
        selfTest: { status: 'ok' },
        fips: {
          status: 'ok',
          message: expect.stringMatching(/^OpenSSL FIPS Provider \d+\.\d+\.\d+; the operator states certificate 1234$/),
        },
      },
    });
    expect(JSON.stringify(body)).not.toMatch(/validated/i);
  });

  test('evidence names them, too', async () => {
    await vi.waitFor(() => {
      const events = receiver.lines(SYSTEM_TENANT).flatMap((line) => {
        const parsed = parseExportLine(line);
        return parsed?.kind === 'event' ? [parsed.entry.event] : [];
      });
      expect(events.filter(({ eventType }) => eventType === 'kms.fips.entered')).toMatchObject([
        { changes: { after: { name: 'OpenSSL FIPS Provider', certificate: '1234', legacyRead: false } } },
      ]);
    }, 30_000);
  });

  test.each(APPROVED.flatMap((algorithm) => algorithm.purposes.slice(0, 1).map((purpose) => ({ algorithm, purpose }))))(
    '$algorithm.standardName does what it is made for: $purpose',
    async ({ algorithm, purpose }) => {
      const use = USES[purpose];
      expect(use, purpose).toBeDefined();
      await use?.(await create(algorithm.id, purpose), algorithm);
    },
  );

  test('RSA encrypts, too, and keys are rotated', async () => {
    const path = await create('rsa-2048', 'encryption');
    await USES['encryption']?.(path, ALGORITHMS[0] as Algorithm);
    const cipher = await create('aes-256-gcm');
    const { ciphertext } = await answer(`${cipher}/encrypt`, { plaintext: DATA });
    expect((await call('POST', `${cipher}/rotate`, {})).status).toBe(200);
    expect(await answer(`${cipher}/decrypt`, { ciphertext })).toMatchObject({ plaintext: DATA });
  });

  test.each(['ML_KEM_768_AES_KWP', 'RSA_AES_KEY_WRAP_SHA_256'] as const)(
    'keys are imported by %s',
    async (wrapping) => {
      const imported = await importOf('aes-256-gcm', wrapping);
      expect(imported.status, JSON.stringify(imported.body)).toBe(201);
      await USES['encryption']?.(`/kms/v1/keys/${String(imported.body['keyId'])}`, ALGORITHMS[0] as Algorithm);
    },
  );

  test.each(NOT_APPROVED)('$standardName keys are refused at creation and at import', async ({ id, standardName }) => {
    const created = await call('POST', '/kms/v1/keys', { algorithm: id });
    expect([created.status, created.body['message']]).toEqual([
      400,
      expect.stringContaining(`${standardName} is not approved for FIPS mode`),
    ]);
    const imported = await importOf(id, 'ML_KEM_768_AES_KWP');
    expect([imported.status, imported.body['message']]).toEqual([
      400,
      expect.stringContaining(`${standardName} is not approved for FIPS mode`),
    ]);
  });

  test('keys that are not approved are shown and not used, not even to read', async () => {
    for (const { path, ciphertext } of [before.chacha, before.hybrid]) {
      expect((await call('GET', path)).status).toBe(200);
      const { status, body } = await call('POST', `${path}/decrypt`, { ciphertext });
      expect([status, body['message']]).toEqual([400, expect.stringContaining('not approved for FIPS mode')]);
    }
  });

  test('they read what they protected, and nothing more, while the operator allows it', async () => {
    await service.stop();
    await start({ ...(await fipsEnvironment()), KMS_FIPS_ALLOW_LEGACY_READ: 'true' });
    try {
      for (const { path, ciphertext } of [before.chacha, before.hybrid]) {
        expect(await answer(`${path}/decrypt`, { ciphertext })).toMatchObject({ plaintext: DATA });
        expect((await call('POST', `${path}/encrypt`, { plaintext: DATA })).status).toBe(400);
        const target = (await create('aes-256-gcm')).split('/').at(-1);
        expect(await answer('/kms/v1/reencrypt', { ciphertext, destinationKeyId: target })).toHaveProperty(
          'ciphertext',
        );
      }
      const { publicKey } = generateKeyPairSync('x25519');
      const peerPublicKey = publicKey.export({ format: 'der', type: 'spki' }).toString('base64');
      expect((await call('POST', `${before.agreement.path}/derive`, { peerPublicKey })).status).toBe(400);
      expect((await call('POST', '/kms/v1/keys', { algorithm: 'chacha20-poly1305' })).status).toBe(400);
      const { checks, status } = (await call('GET', '/health')).body as {
        status: string;
        checks: Record<string, unknown>;
      };
      expect(status).toBe('degraded');
      expect(checks['fips']).toMatchObject({ message: expect.stringContaining('KMS_FIPS_ALLOW_LEGACY_READ') });
    } finally {
      await service.stop();
      await start(await fipsEnvironment());
    }
  });
});
