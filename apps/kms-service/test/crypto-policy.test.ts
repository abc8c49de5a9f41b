import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { serviceEntry, tempDir } from '@qnsp/test-harness';
import { afterAll, describe, expect, test } from 'vitest';
import { startLocalService } from './local-service.ts';

const CNSA = fileURLToPath(new URL('../../../deploy/crypto-policies/cnsa-2.0.json', import.meta.url));
const ALL = { create: 'allowed', protect: 'allowed', process: 'allowed', source: 'section 1' };

const directory = tempDir('qnsp-crypto-policy-');
afterAll(() => directory.remove());

function fileOf(content: string): string {
  const path = join(directory.path, `${crypto.randomUUID()}.json`);
  writeFileSync(path, content);
  return path;
}

const policyOf = (...rules: readonly object[]) =>
  JSON.stringify({ name: 'house', sources: [{ document: 'House', version: '1' }], rules, otherwise: ALL });

function startWith(file: string): { readonly status: number | null; readonly stderr: string } {
  const { status, stderr } = spawnSync(process.execPath, [serviceEntry()], {
    env: {
      PATH: process.env['PATH'] ?? '',
      KMS_EMBEDDED_DEFAULTS: 'true',
      KMS_DATA_DIR: directory.path,
      KMS_CRYPTO_POLICY_FILE: file,
    },
    encoding: 'utf8',
  });
  return { status, stderr };
}

describe('a start with KMS_CRYPTO_POLICY_FILE', () => {
  test.each([
    ['a file that is not there', join(directory.path, 'absent.json'), 'cannot be read (ENOENT'],
    ['no JSON', fileOf('rules: none'), 'is not JSON'],
    [
      'an unknown name',
      fileOf(policyOf({ ...ALL, algorithms: ['RSA-2048'], decrypt: 'allowed' })),
      'unknown member "decrypt"',
    ],
    ['an unknown algorithm', fileOf(policyOf({ ...ALL, algorithms: ['RSA-1024'] })), '"RSA-1024" is no algorithm'],
    ['a bad date', fileOf(policyOf({ ...ALL, algorithms: ['RSA-2048'], create: { until: 'soon' } })), 'must be a day'],
  ])('that names %s ends with 78 and says why', (_, file, reason) => {
    const { status, stderr } = startWith(file);
    expect(status).toBe(78);
    expect(stderr).toContain(`KMS_CRYPTO_POLICY_FILE: ${file}`);
    expect(stderr).toContain(reason);
  });
});

test('a service under CNSA 2.0 refuses what the suite never had, warns of what it loses, and counts both', async () => {
  const local = await startLocalService({ KMS_CRYPTO_POLICY_FILE: CNSA });
  try {
    expect(await local.call('POST', '/kms/v1/keys', { algorithm: 'Ed25519' })).toMatchObject({
      status: 403,
      body: {
        code: 'FORBIDDEN',
        details: { deniedBy: 'crypto-policy', policy: 'CNSA 2.0', algorithm: 'ed25519', act: 'create', since: null },
      },
    });
    const made = await local.call('POST', '/kms/v1/keys', { algorithm: 'ECDSA-P-384' });
    expect(made.status).toBe(201);
    const warnings = made.body['warnings'] as readonly string[];
    expect(warnings).toHaveLength(3);
    expect(warnings[0]).toMatch(/^The crypto policy CNSA 2.0 refuses making keys with ECDSA-P-384 from 2032-01-01T/);
    const path = `/kms/v1/keys/${String(made.body['keyId'])}`;
    expect((await local.call('GET', path)).body['warnings']).toEqual(warnings);
    const signed = await local.call('POST', `${path}/sign`, { data: 'aGk=' });
    expect(signed.status).toBe(200);
    const inventory = await local.call('GET', '/kms/v1/inventory');
    expect(inventory.body['items']).toMatchObject([
      { policyViolations: [{ act: 'create' }, { act: 'protect' }, { act: 'process' }] },
    ]);
    const metrics = await (await fetch(`${local.service.baseUrl}/metrics`)).text();
    const counted = metrics.split('\n').filter((line) => line.startsWith('kms_crypto_policy_violations_total{'));
    expect(counted.toSorted()).toEqual([
      'kms_crypto_policy_violations_total{algorithm="ecdsa-p384",act="create",verdict="discouraged"} 1',
      'kms_crypto_policy_violations_total{algorithm="ecdsa-p384",act="protect",verdict="discouraged"} 1',
      'kms_crypto_policy_violations_total{algorithm="ed25519",act="create",verdict="refused"} 1',
    ]);
    expect(local.service.logs()).toContain('"policy":"CNSA 2.0"');
  } finally {
    await local.end();
  }
});
