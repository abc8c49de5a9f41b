import { createPublicKey } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createKmsClient, type Key } from '@qnsp/kms-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { EXIT } from '../src/terminal/exit-codes.ts';
import { callKms, type LocalKms, runKms, startLocalKms } from './local-kms.ts';

let kms: LocalKms;
beforeAll(async () => {
  kms = await startLocalKms({ KMS_PLATFORM_TOKEN: PLATFORM_TOKEN });
});
afterAll(() => kms.end());

const PLATFORM_TOKEN = `qnsp_pqc_${'p'.repeat(43)}`;

async function json<T = Key>(...args: string[]): Promise<T> {
  const { code, out, err } = await callKms(kms.environment, ['-o', 'json', ...args]);
  expect([code, err]).toEqual([EXIT.done, '']);
  return JSON.parse(out) as T;
}

const file = (name: string) => join(kms.directory, name);
const piped = (input: string | Uint8Array, ...args: string[]) =>
  runKms(kms.environment, args, { input: Buffer.from(input), cwd: kms.directory });

describe('a key', () => {
  test('is changed: name, facts, rotation and limits, each alone and back', async () => {
    const { keyId } = await json('keys', 'create', '--name', 'before', '--metadata', 'team=a');
    const update = (...options: string[]) => json('keys', 'update', keyId, ...options);
    expect(await update('--name', 'after')).toMatchObject({ name: 'after', metadata: { team: 'a' } });
    expect(await update('--metadata', 'team=b')).toMatchObject({ metadata: { team: 'b' } });
    expect(await update('--rotation-period', 'P90D', '--auto-rotate', 'on')).toMatchObject({
      rotation: { rotationPeriod: 'P90D', autoRotate: true },
    });
    expect(await json<unknown[]>('keys', 'schedules', '--within', '365')).toMatchObject([{ keyId }]);
    expect(await update('--max-operations', '10', '--name', 'none')).toMatchObject({
      name: null,
      usageLimits: { maxOperations: 10 },
    });
    expect(await update('--max-operations', 'none')).toMatchObject({ usageLimits: { maxOperations: null } });
    expect(await callKms(kms.environment, ['keys', 'update', keyId])).toMatchObject({ code: EXIT.usage });
  });

  test('shows its public key, and goes to a post-quantum algorithm', async () => {
    const { keyId } = await json('keys', 'create', '--algorithm', 'ecdsa-p256');
    const { out } = await piped('', 'keys', 'public-key', keyId);
    expect(createPublicKey(out).asymmetricKeyType).toBe('ec');
    const der = await piped('', 'keys', 'public-key', keyId, '--format', 'der');
    expect(
      createPublicKey({ key: der.bytes, format: 'der', type: 'spki' }).export({ format: 'pem', type: 'spki' }),
    ).toBe(out);
    expect(await json('keys', 'upgrade', keyId)).toMatchObject({ algorithm: 'dilithium-3', currentVersion: 2 });
  });

  test('has a policy that is set from YAML and JSON, shown and removed', async () => {
    const { keyId } = await json('keys', 'create');
    writeFileSync(
      file('policy.yaml'),
      'version: "1"\nstatements:\n  - effect: deny\n    actions: ["kms:decrypt"]\n    resources: ["*"]\n    principals: ["nobody"]\n',
    );
    await json('keys', 'policy', 'set', keyId, file('policy.yaml'));
    const shown = await callKms(kms.environment, ['-o', 'yaml', 'keys', 'policy', 'get', keyId]);
    expect(parse(shown.out)).toMatchObject({ statements: [{ effect: 'deny', actions: ['kms:decrypt'] }] });
    writeFileSync(file('policy.json'), JSON.stringify(parse(shown.out)));
    await json('keys', 'policy', 'set', keyId, file('policy.json'));
    await json('keys', 'policy', 'remove', keyId);
    expect(await json('keys', 'policy', 'get', keyId)).toMatchObject({ statements: [] });
    writeFileSync(file('no-policy'), ': : :');
    expect(await callKms(kms.environment, ['keys', 'policy', 'set', keyId, file('no-policy')])).toMatchObject({
      code: EXIT.data,
    });
  });

  test('counts in the statistics of the tenant', async () => {
    const { total } = await json<{ total: number }>('keys', 'stats');
    await json('keys', 'create');
    expect(await json('keys', 'stats')).toMatchObject({ total: total + 1 });
  });
});

describe('a name', () => {
  test('is of the one key that lives, however many had it before, and of none when two live', {
    timeout: 60_000,
  }, async () => {
    const { baseUrl, apiToken } = JSON.parse(
      readFileSync(join(kms.environment['KMS_DATA_DIR'] ?? '', 'client.json'), 'utf8'),
    ) as {
      baseUrl: string;
      apiToken: string;
    };
    const client = createKmsClient({ baseUrl, token: apiToken });
    const first = await client.createKey({ name: 'often used' });
    // Newer than the one that lives, and more than fill a page.
    for (let made = 0; made < 101; made += 1) {
      const { keyId } = await client.createKey({ name: 'often used' });
      await client.shredKey({ keyId, confirmation: `SHRED-${keyId}` });
    }
    expect(await json('keys', 'get', 'often used')).toMatchObject({ keyId: first.keyId });
    await client.createKey({ name: 'often used' });
    const refused = await callKms(kms.environment, ['keys', 'revoke', 'often used', '--reason', 'end_of_life']);
    expect(refused).toMatchObject({ code: EXIT.failed, err: expect.stringContaining('Several keys are named') });
    expect(await json('keys', 'get', first.keyId)).toMatchObject({ state: 'active' });
  });
});

describe('data', () => {
  test('is authenticated by an HMAC, and found out when it changed', async () => {
    const { keyId } = await json('keys', 'create', '--algorithm', 'hmac-sha256');
    writeFileSync(file('bill'), 'I owe you 10');
    expect(await piped('', 'mac', file('bill'), '--key', keyId)).toMatchObject({ code: EXIT.done });
    expect(await json('verify-mac', file('bill'), '--key', keyId)).toMatchObject({ valid: true });
    writeFileSync(file('bill'), 'I owe you 1000');
    expect(await callKms(kms.environment, ['verify-mac', file('bill'), '--key', keyId])).toMatchObject({
      code: EXIT.data,
    });
  });

  test('goes through the service as a message, to the newest version and to another key', async () => {
    const [from, to] = [await json('keys', 'create'), await json('keys', 'create')];
    const sealed = await piped('attack at dawn', 'message', 'encrypt', '--key', from.keyId, '--context', 'a=1');
    const moved = await piped(sealed.bytes, 'message', 'reencrypt', '--context', 'a=1', '--to', to.keyId);
    expect(await piped(moved.bytes, 'message', 'decrypt', '--key', to.keyId, '--context', 'a=1')).toMatchObject({
      code: EXIT.done,
      out: 'attack at dawn',
    });
    expect(await piped(moved.bytes, 'message', 'decrypt')).toMatchObject({ code: EXIT.data });
  });

  test('has new secrets: random bytes, a data key that unwraps, and secrets that two sides share', async () => {
    expect((await piped('', 'random', '48', '--format', 'hex')).out).toMatch(/^[0-9a-f]{96}\n$/);
    expect((await piped('', 'random')).bytes).toHaveLength(32);
    const { keyId } = await json('keys', 'create');
    const plain = await piped('', 'data-key', '--key', keyId, '--wrapped-out', file('dek.wrapped'));
    expect(plain.bytes).toHaveLength(32);
    expect((await piped('', 'unwrap', file('dek.wrapped'), '--key', keyId, '--out', '-')).bytes).toEqual(plain.bytes);
    const only = await piped('', 'data-key', '--key', keyId, '--wrapped-out', file('only'), '--wrapped-only');
    expect(only).toMatchObject({ code: EXIT.done, out: '' });
    const kem = await json('keys', 'create', '--algorithm', 'ML-KEM-768');
    const shared = await piped('', 'encapsulate', '--key', kem.keyId, '--ciphertext-out', file('kem'));
    expect((await piped('', 'decapsulate', file('kem'), '--key', kem.keyId)).bytes).toEqual(shared.bytes);
    const [a, b] = [
      await json('keys', 'create', '--algorithm', 'x25519'),
      await json('keys', 'create', '--algorithm', 'x25519'),
    ];
    const agree = async (own: Key, other: Key, format: 'pem' | 'der') => {
      const peer = await piped('', 'keys', 'public-key', other.keyId, '--format', format);
      return (await piped(peer.bytes, 'derive', '--key', own.keyId, '--info', 'letters', '--format', 'base64')).out;
    };
    expect(await agree(a, b, 'der')).toBe(await agree(b, a, 'pem'));
    expect(await piped('', 'derive', '--key', a.keyId)).toMatchObject({
      code: EXIT.data,
      err: 'Standard input is empty.\n',
    });
  });
});

describe('tenants and the service', () => {
  test('are seen and changed with a platform credential', async () => {
    const environment = { ...kms.environment, KMS_TOKEN: PLATFORM_TOKEN };
    const made = await callKms(environment, ['-o', 'json', 'tenants', 'create', '--name', 'second']);
    const { tenantId } = JSON.parse(made.out) as { tenantId: string };
    const names = await callKms(environment, ['-o', 'name', 'tenants', 'list']);
    expect(names.out.split('\n')).toContain(tenantId);
    expect(
      await callKms(environment, ['tenants', 'shred', tenantId, '--confirm', 'yes', '--reason', 'x']),
    ).toMatchObject({
      code: EXIT.usage,
    });
    const shredded = await callKms(environment, [
      '-o',
      'json',
      'tenants',
      'shred',
      tenantId,
      '--confirm',
      `SHRED-${tenantId}`,
      '--reason',
      'the end',
    ]);
    expect(JSON.parse(shredded.out)).toMatchObject({ state: 'shredded' });
  });

  test('are held to so many kept answers, and say how many there are', async () => {
    const environment = { ...kms.environment, KMS_TOKEN: PLATFORM_TOKEN };
    const made = await callKms(environment, ['-o', 'json', 'tenants', 'create', '--name', 'third']);
    const { tenantId } = JSON.parse(made.out) as { tenantId: string };
    const limited = await callKms(environment, ['-o', 'json', 'tenants', 'limits', tenantId, '--kept-answers', '2']);
    expect(JSON.parse(limited.out)).toMatchObject({ limits: { keptAnswers: 2, keys: null } });
    const within = { ...environment, KMS_TENANT_ID: tenantId };
    const create = () => callKms(within, ['keys', 'create', '--name', 'one']);
    expect([await create(), await create()]).toMatchObject([{ code: EXIT.done }, { code: EXIT.done }]);
    expect(await create()).toMatchObject({
      code: EXIT.busy,
      err: expect.stringMatching(/2 answers kept .* of at most 2: wait/),
    });
    const usage = await callKms(within, ['tenants', 'usage', tenantId]);
    expect(usage.out).toMatch(/^kept answers +2 +2$/m);
  });

  test('say how they are', async () => {
    expect(await callKms(kms.environment, ['service', 'health'])).toMatchObject({ code: EXIT.done });
    expect(await json('service', 'ready')).toMatchObject({ service: 'kms-service' });
    expect((await callKms(kms.environment, ['service', 'metrics'])).out).toContain('# TYPE');
    expect(await json('service', 'openapi')).toMatchObject({ openapi: expect.stringMatching(/^3\.1/) });
    expect(await json('service', 'activate', '--sdk-id', 'cli')).toMatchObject({ activated: true });
  });
});

describe('a context', () => {
  test('names a service, is used when nothing nearer does, and never holds a token', async () => {
    const { baseUrl, apiToken } = JSON.parse(
      readFileSync(join(kms.environment['KMS_DATA_DIR'] ?? '', 'client.json'), 'utf8'),
    ) as {
      baseUrl: string;
      apiToken: string;
    };
    writeFileSync(file('token'), `${apiToken}\n`, { mode: 0o600 });
    // Where no local start is.
    const environment = { XDG_CONFIG_HOME: file('config'), KMS_DATA_DIR: file('none') };
    const call = (...args: string[]) => callKms(environment, args);
    expect(await call('keys', 'list')).toMatchObject({
      code: EXIT.configuration,
      err: expect.stringContaining('kms context set'),
    });
    expect(await call('context', 'set', 'here')).toMatchObject({ code: EXIT.usage });
    await call('context', 'set', 'here', '--url', baseUrl, '--token-file', file('token'));
    await call('context', 'set', 'gone', '--url', 'http://127.0.0.1:1', '--token-file', file('token'));
    expect(readFileSync(file('config/kms/contexts.yaml'), 'utf8')).not.toContain(apiToken);
    expect(await call('keys', 'list')).toMatchObject({ code: EXIT.done });
    expect(await call('--use', 'gone', 'keys', 'list')).toMatchObject({ code: EXIT.unavailable });
    await call('context', 'use', 'gone');
    expect((await call('-o', 'json', 'context', 'list')).out).toContain('"current": "gone"');
    expect(await call('--use', 'here', 'keys', 'list')).toMatchObject({ code: EXIT.done });
    expect(await callKms({ ...environment, KMS_CONTEXT: 'here' }, ['keys', 'list'])).toMatchObject({
      code: EXIT.done,
    });
    expect(await call('--use', 'nobody', 'keys', 'list')).toMatchObject({
      code: EXIT.configuration,
      err: 'There is no context "nobody": choose from here, gone.\n',
    });
    await call('context', 'remove', 'gone');
    expect((await call('-o', 'name', 'context', 'list')).out).toBe('here\n');
  });
});
