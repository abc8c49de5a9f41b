import { describe, expect, test } from 'vitest';
import {
  createKey,
  decrypt,
  encrypt,
  getKeyUsage,
  reencrypt,
  retireVersions,
  rotateKey,
  suspendKey,
} from '../src/exports/internal.ts';
import { callerOf, type Fixture, makeFixture, promised } from './kms-fixture.ts';
import { over, withUnits } from './mutants/wrappers.ts';

const HOUR_MS = 60 * 60_000;
const DAY_MS = 24 * HOUR_MS;
const plaintext = Buffer.from('hello');

/** A key with three versions, made a day apart, with a ciphertext of each. */
async function threeVersions(f: Fixture) {
  const op = { kms: f.kms, caller: f.admin };
  const { keyId } = await createKey(op, {});
  const ciphertexts: Uint8Array[] = [];
  for (let version = 1; version <= 3; version += 1) {
    if (version > 1) {
      f.advance(DAY_MS);
      await rotateKey(op, { keyId });
    }
    ciphertexts.push((await encrypt(op, { keyId, plaintext })).ciphertext);
  }
  return { op, keyId, ciphertexts };
}

const statesOf = ({ versions }: { readonly versions: readonly { readonly state: string }[] }) =>
  versions.map(({ state }) => state);

describe('the usage of a key', () => {
  test('says of each version when it was last used in each way, and whether that was lately', async () => {
    const f = await makeFixture({ frozenClock: true });
    const { op, keyId, ciphertexts } = await threeVersions(f);
    f.advance(5 * DAY_MS);
    const read = new Date(Math.floor(f.kms.clock() / HOUR_MS) * HOUR_MS).toISOString();
    await decrypt(op, { ciphertext: ciphertexts[1] ?? new Uint8Array() });
    const { versions, days } = await getKeyUsage(op, { keyId, days: 5 });
    expect(days).toBe(5);
    expect(versions.map(({ version, processedAt, isUsed }) => [version, processedAt, isUsed])).toEqual([
      [1, null, false],
      [2, read, true],
      [3, null, true],
    ]);
    f.advance(6 * DAY_MS);
    expect((await getKeyUsage(op, { keyId, days: 5 })).versions.map(({ isUsed }) => isUsed)).toEqual([
      false,
      false,
      false,
    ]);
  });

  test('does not take for unused what was not written down for as long', async () => {
    const f = await makeFixture({ frozenClock: true });
    const { op, keyId } = await threeVersions(f);
    const since = new Date(f.kms.clock() - DAY_MS / 2);
    const kms = withKnownSince(f, since);
    const { versions, ...facts } = await getKeyUsage({ ...op, kms }, { keyId, days: 1 });
    expect(facts.since).toBe(since.toISOString());
    // The last one was made since.
    expect(versions.map(({ isUsed }) => isUsed)).toEqual([null, null, false]);
    f.advance(DAY_MS / 2);
    const later = await getKeyUsage({ ...op, kms }, { keyId, days: 1 });
    expect(later.versions.map(({ isUsed }) => isUsed)).toEqual([false, false, false]);
  });

  test('is for who may read the key', async () => {
    const f = await makeFixture();
    const { keyId } = await threeVersions(f);
    const caller = callerOf(f.tenantId, null, ['kms:encrypt']);
    await expect(getKeyUsage({ kms: f.kms, caller }, { keyId })).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });
});

/** The same, with uses that are written down only from then on. */
function withKnownSince({ kms }: Fixture, since: Date): Fixture['kms'] {
  const store = withUnits(kms.store, ({ keys }) => ({
    keys: over(keys, { lastUses: async () => ({ since, versions: [] }) }),
  }));
  return { ...kms, store, uses: over(kms.uses, { notWritten: () => [] }) };
}

describe('versions are retired', () => {
  test('that were superseded long ago and are not used, and read nothing from then on', async () => {
    const f = await makeFixture({ frozenClock: true });
    const { op, keyId, ciphertexts } = await threeVersions(f);
    f.advance(10 * DAY_MS);
    const retired = await retireVersions(op, { keyId, olderThanDays: 9 });
    expect(statesOf(retired)).toEqual(['deactivated', 'deactivated', 'active']);
    for (const ciphertext of ciphertexts.slice(0, 2))
      await expect(promised(() => decrypt(op, { ciphertext }))).rejects.toMatchObject({ code: 'KEY_STATE_INVALID' });
    expect(await retireVersions(op, { keyId, olderThanDays: 9 })).toEqual(retired);
  });

  test('but none that was superseded later than that', async () => {
    const f = await makeFixture({ frozenClock: true });
    const { op, keyId } = await threeVersions(f);
    f.advance(10 * DAY_MS);
    expect(statesOf(await retireVersions(op, { keyId, olderThanDays: 11 }))).toEqual([
      'deactivated',
      'decrypt-only',
      'active',
    ]);
  });

  test('all or none: while one is used the answer has the facts, until what is under it is encrypted again', async () => {
    const f = await makeFixture({ frozenClock: true });
    const { op, keyId, ciphertexts } = await threeVersions(f);
    f.advance(10 * DAY_MS);
    const read = new Date(Math.floor(f.kms.clock() / HOUR_MS) * HOUR_MS).toISOString();
    await reencrypt(op, { ciphertext: ciphertexts[1] ?? new Uint8Array() });
    // Written down by now.
    await f.kms.uses.flush(f.kms.store);
    const attempt = retireVersions(op, { keyId, olderThanDays: 5 });
    await expect(attempt).rejects.toMatchObject({
      code: 'KEY_STATE_INVALID',
      message: expect.stringContaining('version 2'),
      details: { versions: [{ version: 2, processedAt: read }] },
    });
    expect(statesOf(await getKeyUsage(op, { keyId }))).toEqual(['decrypt-only', 'decrypt-only', 'active']);
    f.advance(6 * DAY_MS);
    expect(statesOf(await retireVersions(op, { keyId, olderThanDays: 5 }))[1]).toBe('deactivated');
  });

  test('and tells who may not read the key nothing of its uses', async () => {
    const f = await makeFixture({ frozenClock: true });
    const { op, keyId, ciphertexts } = await threeVersions(f);
    f.advance(2 * DAY_MS);
    await decrypt(op, { ciphertext: ciphertexts[0] ?? new Uint8Array() });
    const caller = callerOf(f.tenantId, null, ['kms:keys:delete']);
    const attempt = retireVersions({ kms: f.kms, caller }, { keyId, olderThanDays: 2 });
    const error: unknown = await attempt.catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'KEY_STATE_INVALID' });
    expect(error).not.toHaveProperty('details.versions');
  });

  test('not where it is not known for as long whether they are used', async () => {
    const f = await makeFixture({ frozenClock: true });
    const { op, keyId } = await threeVersions(f);
    f.advance(10 * DAY_MS);
    const kms = withKnownSince(f, new Date(f.kms.clock() - DAY_MS));
    await expect(retireVersions({ ...op, kms }, { keyId, olderThanDays: 5 })).rejects.toMatchObject({
      code: 'KEY_STATE_INVALID',
      message: expect.stringContaining('known from'),
    });
  });

  test('of a suspended key too, by who may destroy it', async () => {
    const f = await makeFixture({ frozenClock: true });
    const { op, keyId } = await threeVersions(f);
    f.advance(10 * DAY_MS);
    await suspendKey(op, { keyId });
    const caller = callerOf(f.tenantId, 'key_user');
    await expect(retireVersions({ kms: f.kms, caller }, { keyId, olderThanDays: 9 })).rejects.toMatchObject({
      code: 'FORBIDDEN',
    });
    expect(await retireVersions(op, { keyId, olderThanDays: 9 })).toMatchObject({ state: 'suspended' });
  });
});
