import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type LocalService, startLocalService } from './local-service.ts';
import { makeTokens, PIN, type Tokens } from './two-tokens.ts';

const DATA = Buffer.from('data').toString('base64');
const ROUNDS = 10;
/** Long enough for a few changes to end, short enough for others to be under way. */
const KILL_AFTER_MS = { min: 100, max: 700 };

let tokens: Tokens;
let local: LocalService;

beforeAll(async () => {
  tokens = await makeTokens(['main']);
  local = await startLocalService({
    ...tokens.env,
    KMS_PKCS11_MODULE_PATH: tokens.modulePath,
    KMS_PKCS11_SLOT: 'main',
    KMS_PKCS11_PIN: PIN,
    KMS_JOB_INTERVAL_MS: '200',
    KMS_HSM_SWEEP_INTERVAL_MS: '100',
    KMS_HSM_CREATE_LIMIT_SECONDS: '1',
  });
});
afterAll(async () => {
  await local?.end();
  await tokens?.remove();
});

interface KeyAnswer {
  readonly keyId: string;
  readonly state: string;
  readonly versions: readonly { readonly version: number }[];
}

/** The versions that the database says are in the HSM. */
async function stored(): Promise<string[]> {
  const { body } = await local.call('GET', '/kms/v1/keys?limit=200');
  return (body['items'] as KeyAnswer[])
    .filter(({ state }) => state !== 'destroyed')
    .flatMap(({ keyId, versions }) => versions.map(({ version }) => `${keyId}/${version}`))
    .sort();
}

const IN_ORDER = { onlyInHsm: [], onlyInDatabase: [], health: 'ok' };

/** What the sweep and scheduled work still have to bring together. */
async function disagreement(): Promise<Record<keyof typeof IN_ORDER, unknown>> {
  const [inHsm, inDatabase] = [await tokens.residents('main'), await stored()];
  return {
    onlyInHsm: inHsm.filter((name) => !inDatabase.includes(name)),
    onlyInDatabase: inDatabase.filter((name) => !inHsm.includes(name)),
    health: (await local.call('GET', '/health')).body['status'],
  };
}

/** Makes, rotates and shreds keys, again and again, until the service is gone; notes what was acknowledged. */
async function churn(usable: Map<string, unknown>, shredded: Set<string>): Promise<void> {
  for (;;) {
    const made = await local.call('POST', '/kms/v1/keys', { protectionLevel: 'hsm' });
    if (made.status !== 201) continue;
    const keyId = String(made.body['keyId']);
    const path = `/kms/v1/keys/${keyId}`;
    const { body } = await local.call('POST', `${path}/encrypt`, { plaintext: DATA });
    usable.set(keyId, body['ciphertext']);
    await local.call('POST', `${path}/rotate`);
    if (randomInt(2) === 0) continue;
    usable.delete(keyId);
    const { status } = await local.call('POST', `${path}/shred`, { confirmation: `SHRED-${keyId}` });
    if (status === 200) shredded.add(keyId);
  }
}

describe('a service that is killed while it makes, rotates and destroys keys in an HSM', () => {
  test('loses no key that it answered, leaves no object of a destroyed one, and is in order again', {
    timeout: 600_000,
  }, async () => {
    const [usable, shredded] = [new Map<string, unknown>(), new Set<string>()];
    for (let round = 0; round < ROUNDS; round += 1) {
      // Each ends when its connection is cut.
      const workers = [1, 2, 3].map(() => churn(usable, shredded).catch(() => undefined));
      await sleep(randomInt(KILL_AFTER_MS.min, KILL_AFTER_MS.max));
      await local.restart('kill9');
      await Promise.all(workers);
      await expect
        .poll(async () => (await tokens.residents('main')).filter((name) => shredded.has(name.split('/')[0] ?? '')))
        .toEqual([]);
      await expect.poll(disagreement, { timeout: 30_000, interval: 300 }).toEqual(IN_ORDER);
      for (const ciphertext of usable.values())
        expect((await local.call('POST', '/kms/v1/decrypt', { ciphertext })).body).toMatchObject({ plaintext: DATA });
    }
    expect(usable.size + shredded.size).toBeGreaterThan(0);
  });
});
