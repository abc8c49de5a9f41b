import { readFileSync } from 'node:fs';
import { KmsError } from '@qnsp/kms-core';
import { makeAuthority, tempDir } from '@qnsp/test-harness';
import { afterAll, expect, test } from 'vitest';
import { readConfig } from '../src/config/env.ts';
import { deploymentProtocols } from '../src/deployment-protocols.ts';

const directory = tempDir('qnsp-protocols-');
afterAll(() => directory.remove());

const BASE = { KMS_ROOT_KEY: Buffer.alloc(32, 1).toString('base64') };
const hsm = (id: string, mechanisms: () => Promise<readonly string[]>) => ({ id, mechanisms });

test('the protocols of a deployment are those that it is configured with, and its certificates', async () => {
  const issued = makeAuthority(directory.path, 'authority').issue('kms');
  const config = readConfig({
    ...BASE,
    DATABASE_URL: 'postgresql://kms@db.example/kms',
    DATABASE_SSL: 'verify-full',
    KMS_CACHE_REDIS_URL: 'rediss://redis.example:6380',
  });
  const identity = { certificate: readFileSync(issued.certificate, 'utf8'), key: '', passphrase: undefined };
  const settings = { identity, minVersion: 'TLSv1.3', groups: '*X25519MLKEM768:P-256', approvedOnly: false } as never;
  const away = () => Promise.reject(new KmsError('HSM_UNAVAILABLE', 'It is away.'));
  const hsms = [hsm('hsm-a', async () => ['CKM_AES_GCM']), hsm('hsm-b', away)];
  const protocols = await deploymentProtocols(config, { tls: { settings }, hsms }, 'everything');
  expect(protocols).toMatchObject([
    { use: 'api', protocol: 'tls', version: '1.3', groups: ['X25519MLKEM768', 'P-256'] },
    { use: 'database', protocol: 'tls', verification: 'verify-full' },
    { use: 'redis', protocol: 'tls' },
    { use: 'hsm', protocol: 'pkcs11', provider: 'hsm-a', mechanisms: ['CKM_AES_GCM'] },
    { use: 'hsm', protocol: 'pkcs11', provider: 'hsm-b' },
  ]);
  expect(protocols[0]?.certificates?.[0]).toMatchObject({
    issuer: expect.stringContaining('authority'),
    publicKey: 'ec prime256v1',
    signature: 'ecdsa-with-SHA256',
    notAfter: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
  });
  // An HSM that is away is there all the same.
  expect(protocols[4]).not.toHaveProperty('mechanisms');
  const own = await deploymentProtocols(config, { tls: { settings }, hsms }, 'api');
  expect(own.map(({ use }) => use)).toEqual(['api']);
});

test('a way in the clear is shown as one', async () => {
  const config = readConfig({ ...BASE, KMS_CACHE_REDIS_URL: 'redis://redis.example' });
  expect(await deploymentProtocols(config, { tls: undefined, hsms: [] }, 'everything')).toEqual([
    { use: 'api', protocol: 'none' },
    { use: 'database', protocol: 'none' },
    { use: 'redis', protocol: 'none' },
  ]);
});
