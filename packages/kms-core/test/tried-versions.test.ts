import { beforeAll, describe, expect, it } from 'vitest';
import {
  BOUNDS,
  createKey,
  type Kms,
  KmsError,
  mac,
  resolveAlgorithm,
  rotateKey,
  sign,
  updateKey,
  verify,
  verifyMac,
} from '../src/exports/internal.ts';
import { type Fixture, makeFixture } from './kms-fixture.ts';

const DATA = Buffer.from('signed once');
const VERSIONS = BOUNDS.triedVersions + 8;

/** What makes a signature or a MAC, and what verifies it. */
const KINDS = {
  Ed25519: {
    make: async (kms: Kms, f: Fixture, keyId: string) =>
      (await sign({ kms, caller: f.admin }, { keyId, data: DATA })).signature,
    verify: (kms: Kms, f: Fixture, keyId: string, made: Uint8Array, keyVersion?: number) =>
      verify(
        { kms, caller: f.admin },
        { keyId, data: DATA, signature: made, ...(keyVersion === undefined ? {} : { keyVersion }) },
      ),
  },
  'HMAC-SHA256': {
    make: async (kms: Kms, f: Fixture, keyId: string) =>
      (await mac({ kms, caller: f.admin }, { keyId, data: DATA })).mac,
    verify: (kms: Kms, f: Fixture, keyId: string, made: Uint8Array, keyVersion?: number) =>
      verifyMac(
        { kms, caller: f.admin },
        { keyId, data: DATA, mac: made, ...(keyVersion === undefined ? {} : { keyVersion }) },
      ),
  },
} as const;

describe.each(Object.entries(KINDS))('a key with more versions than are asked: %s', (name, kind) => {
  let f: Fixture;
  let keyId: string;
  /** By version, from 1. */
  const made: Uint8Array[] = [];
  beforeAll(async () => {
    f = await makeFixture();
    ({ keyId } = await createKey({ kms: f.kms, caller: f.admin }, { algorithm: resolveAlgorithm(name) }));
    for (let version = 1; version <= VERSIONS; version += 1) {
      made[version] = await kind.make(f.kms, f, keyId);
      if (version < VERSIONS) await rotateKey({ kms: f.kms, caller: f.admin }, { keyId });
    }
  });
  const of = (version: number) => made[version] ?? new Uint8Array();
  /** How many operations were counted. */
  async function counted(work: () => Promise<unknown>): Promise<number> {
    const before = f.kms.counter.pending(f.tenantId);
    await work();
    return f.kms.counter.pending(f.tenantId) - before;
  }

  it('finds the newest that made it, and counts each version that was asked', async () => {
    for (const back of [0, 1, BOUNDS.triedVersions - 1]) {
      const keyVersion = VERSIONS - back;
      const operations = await counted(async () => {
        expect(await kind.verify(f.kms, f, keyId, of(keyVersion))).toMatchObject({ valid: true, keyVersion });
      });
      expect(operations).toBe(back + 1);
    }
  });

  it('asks no more than its bound, and then does not call anything invalid', async () => {
    const forged = of(VERSIONS).toReversed();
    for (const unknown of [of(VERSIONS - BOUNDS.triedVersions), of(1), forged]) {
      const operations = await counted(async () => {
        const refused = await kind.verify(f.kms, f, keyId, unknown).catch((error: unknown) => error);
        expect(refused).toBeInstanceOf(KmsError);
        expect(refused).toMatchObject({ code: 'BAD_REQUEST', details: { issues: [{ path: 'keyVersion' }] } });
      });
      expect(operations).toBe(BOUNDS.triedVersions);
    }
  });

  it('asks the one that is named, however old', async () => {
    expect(await kind.verify(f.kms, f, keyId, of(1), 1)).toMatchObject({ valid: true, keyVersion: 1 });
    expect(await kind.verify(f.kms, f, keyId, of(2), 1)).toMatchObject({ valid: false });
  });

  it('takes each from the limit of the key', async () => {
    await updateKey({ kms: f.kms, caller: f.admin }, { keyId, usageLimits: { maxOperations: 4 } });
    expect(await kind.verify(f.kms, f, keyId, of(VERSIONS - 1))).toMatchObject({ valid: true });
    await expect(kind.verify(f.kms, f, keyId, of(VERSIONS - 4))).rejects.toMatchObject({ code: 'KEY_USAGE_EXCEEDED' });
  });
});
