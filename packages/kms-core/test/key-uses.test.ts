import { describe, expect, it } from 'vitest';
import {
  createKey,
  decrypt,
  decryptTogether,
  encrypt,
  encryptTogether,
  mac,
  reencrypt,
  rotateKey,
  verifyMac,
} from '../src/exports/internal.ts';
import { resolveAlgorithm } from '../src/algorithms/resolve.ts';
import type { VersionUse } from '../src/ports/store.ts';
import { type Fixture, makeFixture } from './kms-fixture.ts';

const HOUR_MS = 60 * 60_000;
const plaintext = Buffer.from('hello');

function hourOf(milliseconds: number): Date {
  return new Date(Math.floor(milliseconds / HOUR_MS) * HOUR_MS);
}

/** What the store knows, once everything that was noted is written. */
async function usesOf({ kms, tenantId }: Fixture, keyId: string): Promise<readonly VersionUse[]> {
  await kms.uses.flush(kms.store);
  const known = await kms.store.transact({ kind: 'tenant', tenantId }, (unit) => unit.keys.lastUses([keyId]));
  return known.versions;
}

describe('uses of keys', () => {
  it('are noted by version and direction, to the hour, and later hours replace earlier ones', async () => {
    const f = await makeFixture({ frozenClock: true });
    const op = { kms: f.kms, caller: f.admin };
    const { keyId } = await createKey(op, {});
    expect(await usesOf(f, keyId)).toEqual([]);
    const first = hourOf(f.kms.clock());
    const { ciphertext } = await encrypt(op, { keyId, plaintext });
    expect(await usesOf(f, keyId)).toEqual([{ keyId, version: 1, protectedAt: first, processedAt: null }]);
    f.advance(HOUR_MS);
    const second = hourOf(f.kms.clock());
    await decrypt(op, { ciphertext });
    expect(await usesOf(f, keyId)).toEqual([{ keyId, version: 1, protectedAt: first, processedAt: second }]);
    f.advance(HOUR_MS);
    await encrypt(op, { keyId, plaintext });
    const third = hourOf(f.kms.clock());
    expect(await usesOf(f, keyId)).toEqual([{ keyId, version: 1, protectedAt: third, processedAt: second }]);
  });

  it('of a superseded version read what it protected, whatever the operation', async () => {
    const f = await makeFixture({ frozenClock: true });
    const op = { kms: f.kms, caller: f.admin };
    const { keyId } = await createKey(op, { algorithm: resolveAlgorithm('HMAC-SHA256') });
    await rotateKey(op, { keyId });
    await mac(op, { keyId, data: plaintext, keyVersion: 1 });
    const { mac: tag } = await mac(op, { keyId, data: plaintext });
    const at = hourOf(f.kms.clock());
    expect(await usesOf(f, keyId)).toEqual([
      { keyId, version: 1, protectedAt: null, processedAt: at },
      { keyId, version: 2, protectedAt: at, processedAt: null },
    ]);
    await verifyMac(op, { keyId, data: plaintext, mac: tag });
    expect(await usesOf(f, keyId)).toContainEqual({ keyId, version: 2, protectedAt: at, processedAt: at });
  });

  it('by reencrypt are those of its two halves', async () => {
    const f = await makeFixture({ frozenClock: true });
    const op = { kms: f.kms, caller: f.admin };
    const { keyId } = await createKey(op, {});
    const { ciphertext } = await encrypt(op, { keyId, plaintext });
    await rotateKey(op, { keyId });
    await reencrypt(op, { ciphertext });
    const at = hourOf(f.kms.clock());
    expect(await usesOf(f, keyId)).toEqual([
      { keyId, version: 1, protectedAt: at, processedAt: at },
      { keyId, version: 2, protectedAt: at, processedAt: null },
    ]);
  });

  it('many at once are noted as one by one', async () => {
    const f = await makeFixture({ frozenClock: true });
    const op = { kms: f.kms, caller: f.admin };
    const { keyId } = await createKey(op, {});
    await encrypt(op, { keyId, plaintext });
    await usesOf(f, keyId);
    f.advance(HOUR_MS);
    const at = hourOf(f.kms.clock());
    const sealed = encryptTogether(op, [
      { keyId, plaintext },
      { keyId, plaintext },
    ]);
    const ciphertexts = sealed.map((one) => one?.ciphertext ?? Buffer.alloc(0));
    const opened = decryptTogether(
      op,
      ciphertexts.map((ciphertext) => ({ ciphertext })),
    );
    expect(opened).toHaveLength(2);
    for (const one of opened) expect(one).toMatchObject({ keyId, keyVersion: 1 });
    expect(await usesOf(f, keyId)).toEqual([{ keyId, version: 1, protectedAt: at, processedAt: at }]);
  });

  it('are kept until they are written', async () => {
    const f = await makeFixture({ frozenClock: true });
    const op = { kms: f.kms, caller: f.admin };
    const { keyId } = await createKey(op, {});
    await encrypt(op, { keyId, plaintext });
    const broken = { transact: () => Promise.reject(new Error('the store is away')) };
    await expect(f.kms.uses.flush(broken)).rejects.toThrow('the store is away');
    expect(await usesOf(f, keyId)).toHaveLength(1);
  });

  it('are noted at their next use where there was no room for more', async () => {
    const f = await makeFixture({ frozenClock: true });
    const op = { kms: f.kms, caller: f.admin };
    const now = f.kms.clock();
    for (let other = 0; other < 100_000; other += 1)
      f.kms.uses.note(`${other}`, { record: { version: 1, state: 'active' }, noted: {} }, 'encrypt', now);
    const { keyId } = await createKey(op, {});
    await encrypt(op, { keyId, plaintext });
    expect(await usesOf(f, keyId)).toEqual([]);
    await encrypt(op, { keyId, plaintext });
    expect(await usesOf(f, keyId)).toHaveLength(1);
  });
});
