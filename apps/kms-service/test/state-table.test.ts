import { KEY_STATES, type KeyState, type VersionState } from '@qnsp/kms-core';
import { type CryptoOperation, CRYPTO_OPERATIONS } from '@qnsp/kms-core/algorithms';
import { KEY_STATE_ALLOWS, VERSION_STATE_ALLOWS, VERSION_STATES } from '@qnsp/kms-core/lifecycle';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Answer, type LocalService, startLocalService } from './local-service.ts';

const DATA = Buffer.from('data').toString('base64');
let local: LocalService;
beforeAll(async () => {
  local = await startLocalService();
});
afterAll(() => local.end());

/** For each operation an algorithm that serves it, and the request, made while the key is still active. */
const USES: Readonly<
  Record<
    CryptoOperation,
    { readonly algorithm: string; readonly prepare: (path: string) => Promise<readonly [string, object]> }
  >
> = {
  encrypt: { algorithm: 'aes-256-gcm', prepare: async () => ['encrypt', { plaintext: DATA }] },
  decrypt: {
    algorithm: 'aes-256-gcm',
    prepare: async (path) => [
      'decrypt',
      { ciphertext: await made(path, 'encrypt', { plaintext: DATA }, 'ciphertext') },
    ],
  },
  reencrypt: {
    algorithm: 'aes-256-gcm',
    prepare: async (path) => [
      'reencrypt',
      { ciphertext: await made(path, 'encrypt', { plaintext: DATA }, 'ciphertext') },
    ],
  },
  sign: { algorithm: 'ed25519', prepare: async () => ['sign', { data: DATA }] },
  verify: {
    algorithm: 'ed25519',
    prepare: async (path) => [
      'verify',
      { data: DATA, signature: await made(path, 'sign', { data: DATA }, 'signature') },
    ],
  },
  wrap: { algorithm: 'kyber-768', prepare: async () => ['wrap', { dataKey: DATA }] },
  unwrap: {
    algorithm: 'kyber-768',
    prepare: async (path) => ['unwrap', { wrappedKey: await made(path, 'wrap', { dataKey: DATA }, 'wrappedKey') }],
  },
  'data-key': { algorithm: 'aes-256-gcm', prepare: async () => ['data-key', {}] },
  mac: { algorithm: 'hmac-sha256', prepare: async () => ['mac', { data: DATA }] },
  'mac-verify': {
    algorithm: 'hmac-sha256',
    prepare: async (path) => ['mac/verify', { data: DATA, mac: await made(path, 'mac', { data: DATA }, 'mac') }],
  },
  encapsulate: { algorithm: 'kyber-768', prepare: async () => ['encapsulate', {}] },
  decapsulate: {
    algorithm: 'kyber-768',
    prepare: async (path) => ['decapsulate', { ciphertext: await made(path, 'encapsulate', {}, 'ciphertext') }],
  },
  derive: {
    algorithm: 'x25519',
    prepare: async (path) => [
      'derive',
      { peerPublicKey: (await local.call('GET', `${path}/public-key`)).body['publicKey'] },
    ],
  },
};

async function made(path: string, action: string, body: object, field: string): Promise<string> {
  const answer = await local.call('POST', `${path}/${action}`, body);
  expect(answer.status).toBe(200);
  return String(answer.body[field]);
}

async function createKey(algorithm: string, more: object = {}): Promise<string> {
  const key = await local.call('POST', '/kms/v1/keys', { algorithm, ...more });
  expect(key.status).toBe(201);
  return `/kms/v1/keys/${String(key.body['keyId'])}`;
}

async function act(path: string, action: string, body: object = {}): Promise<void> {
  expect((await local.call('POST', `${path}/${action}`, body)).status, action).toBe(200);
}

async function bringTo(path: string, state: KeyState): Promise<void> {
  if (state === 'suspended') await act(path, 'suspend');
  if (state === 'deactivated') await act(path, 'destroy');
  if (state === 'revoked') await act(path, 'revoke', { reason: 'end_of_life' });
  if (state === 'destroyed') await act(path, 'shred', { confirmation: `SHRED-${path.split('/').at(-1)}` });
  expect((await local.call('GET', path)).body).toMatchObject({ state });
}

function expectOutcome(answer: Answer, allowed: boolean): void {
  expect({ status: answer.status, code: answer.body['code'] }).toEqual(
    allowed ? { status: 200, code: undefined } : { status: 409, code: 'KEY_STATE_INVALID' },
  );
}

describe.each(CRYPTO_OPERATIONS)('%s', (operation) => {
  const { algorithm, prepare } = USES[operation];

  test.each(KEY_STATES)('with a key that is %s', async (state) => {
    const path = await createKey(algorithm);
    const [action, body] = await prepare(path);
    await bringTo(path, state);
    // Re-encryption under the same key is a decrypt and an encrypt.
    expectOutcome(await local.call('POST', `${path}/${action}`, body), KEY_STATE_ALLOWS[state].has(operation));
  });

  test.each(VERSION_STATES)('with a version that is %s', async (state: VersionState) => {
    const path = await createKey(algorithm, { rotation: { retainVersions: 2 } });
    const [action, body] = await prepare(path);
    const rotations = { active: 0, 'decrypt-only': 1, deactivated: 2, destroyed: 0 }[state];
    for (let i = 0; i < rotations; i += 1) await act(path, 'rotate');
    if (state === 'destroyed') await bringTo(path, 'destroyed');
    const versions = (await local.call('GET', path)).body['versions'] as { state: string }[];
    expect(versions[0]?.state).toBe(state);
    const use = (named: object) => local.call('POST', `${path}/${action}`, { ...body, ...named });
    if (usesCurrent(operation) && state !== 'destroyed')
      expect(await use({})).toMatchObject({ status: 200, body: { keyVersion: rotations + 1 } });
    else if (operation === 'reencrypt' && state !== 'destroyed')
      expectOutcome(await use({}), VERSION_STATE_ALLOWS[state].has('decrypt'));
    else if (!namesVersion(operation)) expectOutcome(await use({}), VERSION_STATE_ALLOWS[state].has(operation));
    if (namesVersion(operation))
      expectOutcome(await use({ keyVersion: 1 }), VERSION_STATE_ALLOWS[state].has(operation));
  });
});

/** Operations that protect something new use the current version unless the request names another one. */
function usesCurrent(operation: CryptoOperation): boolean {
  return ['encrypt', 'sign', 'wrap', 'data-key', 'mac', 'encapsulate'].includes(operation);
}

/** Operations whose request may say which version it is for. */
function namesVersion(operation: CryptoOperation): boolean {
  return ['sign', 'verify', 'mac', 'mac-verify', 'decapsulate', 'derive'].includes(operation);
}
