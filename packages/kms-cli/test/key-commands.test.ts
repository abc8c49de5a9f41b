import type { Key } from '@qnsp/kms-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXIT } from '../src/terminal/exit-codes.ts';
import { type LocalKms, callKms, startLocalKms } from './local-kms.ts';

let kms: LocalKms;
beforeAll(async () => {
  kms = await startLocalKms();
});
afterAll(() => kms.end());

async function json(...args: string[]): Promise<Key> {
  const { code, out, err } = await callKms(kms.environment, ['--output', 'json', ...args]);
  expect([code, err]).toEqual([EXIT.done, '']);
  return JSON.parse(out) as Key;
}

describe('kms keys', () => {
  test('takes a key through its life', async () => {
    const made = await json('keys', 'create', '--name', 'life', '--algorithm', 'ML-DSA-65', '--metadata', 'team=a');
    expect(made).toMatchObject({ name: 'life', algorithm: 'dilithium-3', state: 'active', metadata: { team: 'a' } });
    const { keyId } = made;
    expect(await json('keys', 'rotate', 'life')).toMatchObject({ keyId, currentVersion: 2 });
    expect(await json('keys', 'suspend', keyId)).toMatchObject({ state: 'suspended' });
    expect(await json('keys', 'resume', keyId)).toMatchObject({ state: 'active' });
    expect(await json('keys', 'destroy', keyId, '--days', '30')).toMatchObject({ destroyAt: expect.any(String) });
    expect(await json('keys', 'restore', keyId)).toMatchObject({ state: 'active', destroyAt: null });
    expect(await json('keys', 'revoke', keyId, '--reason', 'end_of_life')).toMatchObject({ state: 'revoked' });
    expect(await json('keys', 'shred', keyId, '--confirm', `SHRED-${keyId}`)).toMatchObject({ state: 'destroyed' });
    expect(await json('keys', 'get', keyId)).toMatchObject({ state: 'destroyed' });
  });

  test('lists keys as JSON and as a table', async () => {
    const { keyId } = await json('keys', 'create', '--name', 'red herring', '--algorithm', 'aes-128-gcm');
    const listed = await callKms(kms.environment, ['keys', 'list', '--algorithm', 'aes-128-gcm']);
    expect(listed.out).toMatch(new RegExp(`^ID +NAME .*\\n${keyId}  red herring  aes-128-gcm `));
    expect(await json('keys', 'list', '--algorithm', 'aes-128-gcm')).toMatchObject([{ keyId }]);
    expect((await callKms(kms.environment, ['keys', 'list', '--name', 'nobody'])).out).toMatch(/^ID .*\n$/);
    for (let more = 0; more < 3; more += 1) await json('keys', 'create', '--algorithm', 'hmac-sha256');
    expect(await json('keys', 'list', '--algorithm', 'hmac-sha256', '--limit', '2')).toHaveLength(2);
  });

  test('refuses a name that is not of one key', async () => {
    await json('keys', 'create', '--name', 'twin');
    await json('keys', 'create', '--name', 'twin');
    const several = await callKms(kms.environment, ['keys', 'rotate', 'twin']);
    expect(several).toMatchObject({ code: EXIT.failed, err: expect.stringMatching(/^Several keys .* give the id/) });
    const none = await callKms(kms.environment, ['keys', 'rotate', 'nobody']);
    expect(none).toMatchObject({ code: EXIT.failed, err: expect.stringContaining('kms keys list') });
  });

  test('shreds nothing without the right confirmation', async () => {
    const { keyId } = await json('keys', 'create');
    expect(await callKms(kms.environment, ['keys', 'shred', keyId])).toMatchObject({ code: EXIT.usage });
    expect(await callKms(kms.environment, ['keys', 'shred', keyId, '--confirm', 'yes'])).toMatchObject({
      code: EXIT.usage,
      err: expect.stringMatching(/SHRED-/),
    });
    expect(await json('keys', 'get', keyId)).toMatchObject({ state: 'active' });
  });
});
