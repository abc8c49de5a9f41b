import { beforeEach, describe, expect, test, vi } from 'vitest';
import {
  type Caller,
  createDataKey,
  createKey,
  decrypt,
  destroyKey,
  encrypt,
  getKey,
  importKey,
  isSweepDue,
  KmsError,
  type Kms,
  mac,
  newId,
  NothingLeft,
  parseHeader,
  reencrypt,
  resolveAlgorithm,
  restoreKey,
  rotateKey,
  runDueWork,
  shredKey,
  shredTenant,
  sign,
  type Store,
  sweepResidentKeys,
  unwrap,
  upgradeKey,
  verify,
  verifyMac,
  wrap,
  operationOfService,
} from '../src/exports/internal.ts';
import { softwareResidentKeys, type SoftwareResidentKeys, SYSTEM } from '../src/testing/index.ts';
import { failure } from './crypto-samples.ts';
import { type Fixture, makeFixture, promised } from './kms-fixture.ts';

const DAY = 24 * 60 * 60 * 1000;
const LIMITS = { createLimitSeconds: 60, orphanGraceSeconds: 3600 };
const DATA = Buffer.from('data');
const HSM_UNAVAILABLE = failure('HSM_UNAVAILABLE');
const KEY_STATE_INVALID = failure('KEY_STATE_INVALID');

let hsm: SoftwareResidentKeys;
let fixture: Fixture;
let kms: Kms;
let admin: Caller;

beforeEach(async () => {
  hsm = softwareResidentKeys('hsm-a');
  fixture = await makeFixture({ resident: [hsm] });
  ({ kms, admin } = fixture);
});

const create = (algorithm = 'aes-256-gcm') =>
  createKey({ kms, caller: admin }, { algorithm: resolveAlgorithm(algorithm), protectionLevel: 'hsm' });
const shred = (keyId: string) => shredKey({ kms, caller: admin }, { keyId, confirmation: `SHRED-${keyId}` });
const sweep = async () => (await sweepResidentKeys(operationOfService(kms, 'sweepResidentKeys'), LIMITS))[0];
const nameOf = (keyId: string, version = 1) => ({ tenantId: fixture.tenantId, keyId, version });

/** The store, but a unit of work that is committed or not says that it does not know. */
function lossyStore(store: Store, commits: boolean): Store & { lose: boolean } {
  const lossy = Object.create(store) as Store & { lose: boolean };
  lossy.lose = false;
  lossy.transact = async (scope, work) => {
    if (!lossy.lose) return store.transact(scope, work);
    const lost = new KmsError('STORE_UNAVAILABLE', 'The connection was lost.');
    await store.transact(scope, async (unit) => {
      await work(unit);
      if (!commits) throw lost;
    });
    throw lost;
  };
  return lossy;
}

describe('a key in an HSM', () => {
  test('says so, keeps nothing in the database, and encrypts with suite 2', async () => {
    const key = await create();
    expect(key).toMatchObject({ protectionLevel: 'hsm', provider: 'hsm-a' });
    const record = await kms.store.readKey(fixture.tenantId, key.keyId);
    expect(record?.versions[0]?.material.kind).toBe('resident');
    const context = { for: 'a' };
    const { ciphertext } = await encrypt({ kms, caller: admin }, { keyId: key.keyId, plaintext: DATA, context });
    expect(parseHeader(ciphertext).suite).toBe(2);
    expect(Buffer.from((await decrypt({ kms, caller: admin }, { ciphertext, context })).plaintext)).toEqual(DATA);
    await expect(promised(() => decrypt({ kms, caller: admin }, { ciphertext }))).rejects.toThrow(
      failure('DECRYPT_FAILED'),
    );
    const forged = Buffer.from(ciphertext);
    forged[1] = 1;
    await expect(promised(() => decrypt({ kms, caller: admin }, { ciphertext: forged, context }))).rejects.toThrow(
      failure('DECRYPT_FAILED'),
    );
  });

  test('serves every operation of its algorithm', async () => {
    const { keyId } = await create();
    const wrapped = await wrap({ kms, caller: admin }, { keyId, dataKey: DATA });
    expect(wrapped.provider).toBe('hsm-a');
    expect(Buffer.from((await unwrap({ kms, caller: admin }, { wrappedKey: wrapped.wrappedKey })).dataKey)).toEqual(
      DATA,
    );
    const dataKey = await createDataKey({ kms, caller: admin }, { keyId });
    expect((await unwrap({ kms, caller: admin }, { wrappedKey: dataKey.wrappedKey })).dataKey).toEqual(dataKey.dataKey);
    const { ciphertext } = await encrypt({ kms, caller: admin }, { keyId, plaintext: DATA });
    expect((await reencrypt({ kms, caller: admin }, { ciphertext })).keyVersion).toBe(1);
    const hmac = await create('hmac-sha256');
    const tag = await mac({ kms, caller: admin }, { keyId: hmac.keyId, data: DATA });
    expect(await verifyMac({ kms, caller: admin }, { keyId: hmac.keyId, data: DATA, mac: tag.mac })).toMatchObject({
      valid: true,
    });
    for (const algorithm of ['ecdsa-p256', 'ecdsa-p384', 'ed25519', 'rsa-2048']) {
      const pair = await create(algorithm);
      const { signature } = await sign({ kms, caller: admin }, { keyId: pair.keyId, data: DATA });
      expect(await verify({ kms, caller: admin }, { keyId: pair.keyId, data: DATA, signature })).toMatchObject({
        valid: true,
      });
    }
  });

  test('has the message budget of AES-GCM', async () => {
    fixture = await makeFixture({ resident: [hsm], messageBudget: 3 });
    ({ kms, admin } = fixture);
    const { keyId } = await create();
    for (let count = 0; count < 3; count += 1) await encrypt({ kms, caller: admin }, { keyId, plaintext: DATA });
    await expect(promised(() => encrypt({ kms, caller: admin }, { keyId, plaintext: DATA }))).rejects.toThrow(
      failure('KEY_USAGE_EXCEEDED'),
    );
    const software = await createKey({ kms, caller: admin }, {});
    for (let count = 0; count < 5; count += 1)
      await encrypt({ kms, caller: admin }, { keyId: software.keyId, plaintext: DATA });
  });

  test('rotates in the HSM, and its old versions still decrypt there', async () => {
    const { keyId } = await create();
    const { ciphertext } = await encrypt({ kms, caller: admin }, { keyId, plaintext: DATA });
    const rotated = await rotateKey({ kms, caller: admin }, { keyId });
    expect(rotated).toMatchObject({ currentVersion: 2, protectionLevel: 'hsm' });
    expect(hsm.size).toBe(2);
    expect(Buffer.from((await decrypt({ kms, caller: admin }, { ciphertext })).plaintext)).toEqual(DATA);
    expect((await encrypt({ kms, caller: admin }, { keyId, plaintext: DATA })).keyVersion).toBe(2);
  });

  test('is refused where no HSM holds its algorithm, with the list of what there is', async () => {
    await expect(create('chacha20-poly1305')).rejects.toThrow(
      /no HSM here supports chacha20-poly1305 keys.*aes-256-gcm/,
    );
    await expect(create('x25519')).rejects.toThrow(failure('BAD_REQUEST'));
    const without = await makeFixture();
    const asking = createKey({ kms: without.kms, caller: without.admin }, { protectionLevel: 'hsm' });
    await expect(asking).rejects.toThrow('no HSM that can hold keys is configured');
  });

  test('is a software key under the root, and says so, where it is post-quantum', async () => {
    const key = await create('ML-DSA-65');
    expect(key).toMatchObject({ protectionLevel: 'software', provider: 'software' });
    expect(key.warnings).toEqual([expect.stringMatching(/No HSM supports dilithium-3 keys.*software key/)]);
    expect(hsm.size).toBe(0);
    const pair = await create('ecdsa-p256');
    const upgraded = await upgradeKey({ kms, caller: admin }, { keyId: pair.keyId });
    expect(upgraded).toMatchObject({ protectionLevel: 'software', algorithm: 'dilithium-3' });
    expect(upgraded.warnings).toHaveLength(1);
  });

  test('is not made by import', async () => {
    const importing = importKey(
      { kms, caller: admin },
      {
        algorithm: resolveAlgorithm('aes-256-gcm'),
        protectionLevel: 'hsm',
        wrappingAlgorithm: 'ML_KEM_768_AES_KWP',
        importToken: Buffer.alloc(0),
        wrappedMaterial: Buffer.alloc(0),
      },
    );
    await expect(importing).rejects.toThrow(/outside an HSM cannot be imported into one/);
  });

  test('goes to the next HSM while the first is away', async () => {
    const other = softwareResidentKeys('hsm-b');
    fixture = await makeFixture({ resident: [hsm, other] });
    ({ kms, admin } = fixture);
    hsm.goAway();
    expect(await create()).toMatchObject({ provider: 'hsm-b' });
    other.goAway();
    await expect(create()).rejects.toThrow(HSM_UNAVAILABLE);
  });

  test('goes to the next HSM when the first fails while it makes it, and the rest is swept', async () => {
    const other = softwareResidentKeys('hsm-b');
    const generate = hsm.generate.bind(hsm);
    const failing = Object.assign(Object.create(hsm) as SoftwareResidentKeys, {
      generate: async (...args: Parameters<typeof generate>) => {
        await generate(...args);
        throw new KmsError('HSM_UNAVAILABLE', 'The answer was lost.');
      },
    });
    fixture = await makeFixture({ resident: [failing, other] });
    ({ kms, admin } = fixture);
    const { keyId } = await create();
    expect([hsm.size, other.size]).toEqual([1, 1]);
    fixture.advance(61_000);
    await sweepResidentKeys(operationOfService(kms, 'sweepResidentKeys'), LIMITS);
    expect([hsm.size, other.size]).toEqual([0, 1]);
    await encrypt({ kms, caller: admin }, { keyId, plaintext: DATA });
  });

  test('is asked for again at once after an HSM refused to make it, and only then', async () => {
    const { keyId } = await create();
    const lost = new KmsError('HSM_UNAVAILABLE', 'The answer was lost.');
    const busy = new KmsError('HSM_UNAVAILABLE', 'Too many calls wait.', { retryAfterSeconds: 1 });
    const failing = (error: KmsError) =>
      Object.assign(Object.create(hsm) as SoftwareResidentKeys, {
        generate: async () => {
          throw error;
        },
      });
    const rotateWith = async (...resident: SoftwareResidentKeys[]) =>
      rotateKey({ kms: { ...kms, resident }, caller: admin }, { keyId });
    const refused = rotateWith(failing(new NothingLeft(busy)));
    await expect(refused).rejects.toMatchObject({
      code: 'HSM_UNAVAILABLE',
      message: busy.message,
      retryAfterSeconds: 1,
    });
    expect(await rotateWith(hsm)).toMatchObject({ currentVersion: 2 });

    await expect(rotateWith(failing(lost))).rejects.toThrow(HSM_UNAVAILABLE);
    await expect(rotateWith(hsm)).rejects.toMatchObject({ code: 'HSM_UNAVAILABLE', retryAfterSeconds: 5 });
  });

  test('is made once for one idempotency key', async () => {
    const idempotency = { key: 'once', fingerprint: Buffer.alloc(32, 1) };
    const make = () => createKey({ kms, caller: admin, idempotency }, { protectionLevel: 'hsm' });
    const [first, second] = [await make(), await make()];
    expect(second).toEqual(first);
    expect(hsm.size).toBe(1);
    expect(await kms.store.transact(SYSTEM, (unit) => unit.residents.claims('hsm-a'))).toEqual([]);
  });

  test('leaves nothing in the HSM when it is refused', async () => {
    await expect(createKey({ kms, caller: admin }, { protectionLevel: 'hsm', parentKeyId: newId() })).rejects.toThrow(
      'parentKeyId',
    );
    expect(hsm.size).toBe(0);
    const { keyId } = await create();
    await expect(rotateKey({ kms, caller: admin }, { keyId, ifRevision: 9 })).rejects.toThrow(failure('CONFLICT'));
    expect(hsm.size).toBe(1);
    expect(await rotateKey({ kms, caller: admin }, { keyId })).toMatchObject({ currentVersion: 2 });
  });
});

describe('destruction', () => {
  test('destroys the objects of every version, then the key', async () => {
    const { keyId } = await create();
    await rotateKey({ kms, caller: admin }, { keyId });
    const shredded = await shred(keyId);
    expect(shredded).toMatchObject({ state: 'destroyed' });
    expect(hsm.size).toBe(0);
    expect(await shred(keyId)).toEqual(shredded);
  });

  test('never calls a key destroyed while its HSM is away, and ends when it is back', async () => {
    const { keyId } = await create();
    hsm.goAway();
    await expect(shred(keyId)).rejects.toThrow(/permanently out of use/);
    expect(await getKey({ kms, caller: admin }, { keyId })).toMatchObject({ state: 'deactivated' });
    await expect(restoreKey({ kms, caller: admin }, { keyId })).rejects.toThrow(KEY_STATE_INVALID);
    expect((await runDueWork(operationOfService(kms, 'runDueWork'), new AbortController().signal)).failed).toHaveLength(
      1,
    );
    hsm.comeBack();
    expect(await runDueWork(operationOfService(kms, 'runDueWork'), new AbortController().signal)).toMatchObject({
      destroyed: 1,
      failed: [],
    });
    expect(await getKey({ kms, caller: admin }, { keyId })).toMatchObject({ state: 'destroyed' });
    expect(hsm.size).toBe(0);
  });

  test('also of a key whose waiting period runs or that is revoked', async () => {
    const { keyId } = await create();
    await destroyKey({ kms, caller: admin }, { keyId });
    expect(await shred(keyId)).toMatchObject({ state: 'destroyed' });
    expect(hsm.size).toBe(0);
  });

  test('comes at the end of the waiting period, until which the key can be restored', async () => {
    const { keyId } = await create();
    await destroyKey({ kms, caller: admin }, { keyId });
    await restoreKey({ kms, caller: admin }, { keyId });
    await destroyKey({ kms, caller: admin }, { keyId });
    fixture.advance(8 * DAY);
    await expect(restoreKey({ kms, caller: admin }, { keyId })).rejects.toThrow(/waiting period is over/);
    expect(await runDueWork(operationOfService(kms, 'runDueWork'), new AbortController().signal)).toMatchObject({
      destroyed: 1,
    });
    expect(hsm.size).toBe(0);
  });

  test('of a tenant reaches its objects and no others', async () => {
    await create();
    await hsm.plant({ tenantId: newId(), keyId: newId(), version: 1 });
    const { tenantId } = fixture;
    await shredTenant({ kms, caller: admin }, { tenantId, confirmation: `SHRED-${tenantId}`, reason: 'test' });
    expect(hsm.size).toBe(1);
  });

  test('of a tenant whose HSM is away is ended by the sweep', async () => {
    await create();
    const { tenantId } = fixture;
    hsm.goAway();
    const shredding = shredTenant(
      { kms, caller: admin },
      { tenantId, confirmation: `SHRED-${tenantId}`, reason: 'test' },
    );
    await expect(shredding).rejects.toThrow(/The tenant is shredded/);
    hsm.comeBack();
    expect((await sweep())?.destroyed).toHaveLength(1);
    expect(hsm.size).toBe(0);
  });
});

describe('a version that somebody makes', () => {
  test('is asked for again a little later, of the same HSM, until it is made or swept', async () => {
    const other = softwareResidentKeys('hsm-b');
    const both = { ...kms, resident: [hsm, other] };
    const { keyId } = await create();
    const { tenantId } = fixture;
    const name = nameOf(keyId, 2);
    await kms.store.transact({ kind: 'tenant', tenantId }, (unit) =>
      unit.residents.claim({ providerId: 'hsm-a', name, kind: 'create' }),
    );
    await hsm.plant(name);
    const rotate = () => rotateKey({ kms: both, caller: admin }, { keyId });
    await expect(rotate()).rejects.toMatchObject({ code: 'HSM_UNAVAILABLE', retryAfterSeconds: 5 });
    fixture.advance(59_000);
    await sweep();
    expect(await isSweepDue(operationOfService(both, 'sweepResidentKeys'), LIMITS)).toBe(false);
    await expect(rotate()).rejects.toMatchObject({ code: 'HSM_UNAVAILABLE', retryAfterSeconds: 5 });
    fixture.advance(2000);
    expect(await isSweepDue(operationOfService(both, 'sweepResidentKeys'), LIMITS)).toBe(true);
    await sweep();
    expect(await isSweepDue(operationOfService(both, 'sweepResidentKeys'), LIMITS)).toBe(false);
    await expect(rotate()).resolves.toMatchObject({ currentVersion: 2 });
    expect([hsm.size, other.size]).toEqual([2, 0]);
    expect(await sweep()).toMatchObject({ destroyed: [], waiting: 0, missing: [] });
  });
});

describe('the sweep', () => {
  test('finds nothing where everything is in order', async () => {
    await create();
    expect(await sweep()).toEqual({
      providerId: 'hsm-a',
      answers: true,
      destroyed: [],
      waiting: 0,
      foreign: 0,
      missing: [],
      failed: [],
    });
  });

  test('releases a claim of an object that a version names', async () => {
    const { keyId } = await create();
    await kms.store.transact(SYSTEM, (unit) =>
      unit.residents.claim({ providerId: 'hsm-a', name: nameOf(keyId), kind: 'orphan' }),
    );
    fixture.advance(61_000);
    expect(await sweep()).toMatchObject({ destroyed: [], missing: [] });
    expect(await kms.store.transact(SYSTEM, (unit) => unit.residents.claims('hsm-a'))).toEqual([]);
    await encrypt({ kms, caller: admin }, { keyId, plaintext: DATA });
  });

  test('leaves a key alone that is being made, and removes what a crash left', async () => {
    const name = nameOf(newId());
    const { tenantId } = fixture;
    await kms.store.transact({ kind: 'tenant', tenantId }, (unit) =>
      unit.residents.claim({ providerId: 'hsm-a', name, kind: 'create' }),
    );
    await hsm.plant(name);
    expect(await sweep()).toMatchObject({ waiting: 1, destroyed: [] });
    fixture.advance(61_000);
    expect(await sweep()).toMatchObject({ waiting: 0, destroyed: [name] });
    expect(hsm.size).toBe(0);
  });

  test('leaves a key alone whose maker says that it is at it, however long that takes', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      const generate = hsm.generate.bind(hsm);
      const slow = Object.assign(Object.create(hsm) as SoftwareResidentKeys, {
        generate: async (...args: Parameters<typeof generate>) => {
          const key = await generate(...args);
          for (let count = 0; count < 5; count += 1) {
            fixture.advance(59_000);
            await vi.advanceTimersByTimeAsync(5000);
            expect(await sweep()).toMatchObject({ waiting: 1, destroyed: [] });
          }
          return key;
        },
      });
      const key = await createKey({ kms: { ...kms, resident: [slow] }, caller: admin }, { protectionLevel: 'hsm' });
      expect(vi.getTimerCount()).toBe(0);
      await encrypt({ kms, caller: admin }, { keyId: key.keyId, plaintext: DATA });
      expect(await kms.store.transact(SYSTEM, (unit) => unit.residents.claims('hsm-a'))).toEqual([]);
    } finally {
      vi.useRealTimers();
    }
  });

  test('leaves a key alone whose maker renewed its claim while the HSM took long to list its objects', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      const listing = Object.assign(Object.create(hsm) as SoftwareResidentKeys, {
        list: async () => {
          for (let seconds = 0; seconds < 65; seconds += 5) {
            fixture.advance(5000);
            await vi.advanceTimersByTimeAsync(5000);
          }
          return hsm.list();
        },
      });
      const generate = hsm.generate.bind(hsm);
      const slow = Object.assign(Object.create(hsm) as SoftwareResidentKeys, {
        generate: async (...args: Parameters<typeof generate>) => {
          await sweepResidentKeys(operationOfService({ ...kms, resident: [listing] }, 'sweepResidentKeys'), LIMITS);
          return generate(...args);
        },
      });
      const key = await createKey({ kms: { ...kms, resident: [slow] }, caller: admin }, { protectionLevel: 'hsm' });
      await encrypt({ kms, caller: admin }, { keyId: key.keyId, plaintext: DATA });
      expect(await kms.store.transact(SYSTEM, (unit) => unit.residents.claims('hsm-a'))).toEqual([]);
    } finally {
      vi.useRealTimers();
    }
  });

  test('keeps a maker that was halted from storing its swept object under the claim of the next one', async () => {
    const { keyId } = await create();
    const generate = hsm.generate.bind(hsm);
    const [claimed, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const rotateWith = (resident: SoftwareResidentKeys) =>
      rotateKey({ kms: { ...kms, resident: [resident] }, caller: admin }, { keyId });
    const nextHsm = Object.assign(Object.create(hsm) as SoftwareResidentKeys, {
      generate: async (...args: Parameters<typeof generate>) => {
        claimed.resolve();
        await ended.promise;
        return generate(...args);
      },
    });
    const next = Promise.withResolvers<unknown>();
    const haltedHsm = Object.assign(Object.create(hsm) as SoftwareResidentKeys, {
      generate: async (...args: Parameters<typeof generate>) => {
        const object = await generate(...args);
        fixture.advance(61_000);
        expect(await sweep()).toMatchObject({ destroyed: [nameOf(keyId, 2)] });
        rotateWith(nextHsm).then(next.resolve, next.reject);
        await claimed.promise;
        return object;
      },
    });
    await expect(rotateWith(haltedHsm)).rejects.toThrow(/creating it took too long/);
    // It has not given up the claim of the other either.
    expect(await kms.store.transact(SYSTEM, (unit) => unit.residents.claims('hsm-a'))).toHaveLength(1);
    await encrypt({ kms, caller: admin }, { keyId, plaintext: DATA });
    ended.resolve();
    expect(await next.promise).toMatchObject({ currentVersion: 2 });
    await encrypt({ kms, caller: admin }, { keyId, plaintext: DATA });
    expect(await sweep()).toMatchObject({ destroyed: [], waiting: 0, missing: [] });
  });

  test('removes an object that came late, and not the one of its name that a version is', async () => {
    const { keyId } = await create();
    hsm.plantLate(nameOf(keyId));
    expect(await sweep()).toMatchObject({ waiting: 1, destroyed: [], missing: [] });
    fixture.advance(3_500_000);
    expect(await sweep()).toMatchObject({ waiting: 1, destroyed: [], missing: [] });
    fixture.advance(100_000);
    expect(await sweep()).toMatchObject({ waiting: 0, destroyed: [nameOf(keyId)], missing: [] });
    expect(hsm.size).toBe(1);
    await encrypt({ kms, caller: admin }, { keyId, plaintext: DATA });
    expect(await sweep()).toMatchObject({ waiting: 0, destroyed: [], missing: [] });
  });

  test('does not take an object that came late for the one that a version is', async () => {
    const { keyId } = await create();
    hsm.plantLate(nameOf(keyId));
    hsm.lose(nameOf(keyId));
    expect(await sweep()).toMatchObject({ waiting: 1, destroyed: [], missing: [nameOf(keyId)] });
  });

  test('makes a creation fail that took longer than it may, instead of storing a key without its object', async () => {
    const generate = hsm.generate.bind(hsm);
    const slow = Object.assign(Object.create(hsm) as SoftwareResidentKeys, {
      generate: async (...args: Parameters<typeof generate>) => {
        const key = await generate(...args);
        fixture.advance(61_000);
        await sweepResidentKeys(operationOfService(fixture.kms, 'sweepResidentKeys'), LIMITS);
        return key;
      },
    });
    await expect(
      createKey({ kms: { ...kms, resident: [slow] }, caller: admin }, { protectionLevel: 'hsm' }),
    ).rejects.toThrow(/creating it took too long/);
    expect(hsm.size).toBe(0);
  });

  test.each([
    ['was committed', true, 1],
    ['was not', false, 0],
  ])('keeps a key whose commit is in doubt, and is right when it %s', async (_what, commits, left) => {
    const lossy = lossyStore(kms.store, commits);
    const generate = hsm.generate.bind(hsm);
    const losing = Object.assign(Object.create(hsm) as SoftwareResidentKeys, {
      generate: async (...args: Parameters<typeof generate>) => {
        lossy.lose = true;
        return generate(...args);
      },
    });
    await expect(
      createKey({ kms: { ...kms, store: lossy, resident: [losing] }, caller: admin }, { protectionLevel: 'hsm' }),
    ).rejects.toThrow(failure('STORE_UNAVAILABLE'));
    expect(hsm.size).toBe(1);
    fixture.advance(61_000);
    expect(await sweep()).toMatchObject({ missing: [], failed: [] });
    expect(hsm.size).toBe(left);
  });

  test('lets an object that nothing knows live for the grace period', async () => {
    const name = nameOf(newId());
    await hsm.plant(name);
    expect(await sweep()).toMatchObject({ waiting: 1 });
    fixture.advance(3_500_000);
    expect(await sweep()).toMatchObject({ waiting: 1 });
    fixture.advance(100_000);
    expect(await sweep()).toMatchObject({ destroyed: [name] });
  });

  test('never touches objects of tenants that the database never had', async () => {
    await hsm.plant({ tenantId: newId(), keyId: newId(), version: 1 });
    for (let count = 0; count < 3; count += 1) {
      expect(await sweep()).toMatchObject({ foreign: 1, destroyed: [], waiting: 0 });
      fixture.advance(10 * DAY);
    }
  });

  test('removes at once what belongs to a destroyed key', async () => {
    const { keyId } = await create();
    await shred(keyId);
    await hsm.plant(nameOf(keyId));
    expect(await sweep()).toMatchObject({ destroyed: [nameOf(keyId)] });
  });

  test('names a version whose object is gone, for as long as the key is wanted', async () => {
    const { keyId } = await create();
    hsm.lose(nameOf(keyId));
    expect(await sweep()).toMatchObject({ missing: [nameOf(keyId)] });
    fixture.advance(60_000);
    await expect(promised(() => encrypt({ kms, caller: admin }, { keyId, plaintext: DATA }))).rejects.toThrow(
      failure('NOT_FOUND'),
    );
    await shred(keyId);
    expect(await sweep()).toMatchObject({ missing: [] });
  });

  test('is asked again, not given up, when an HSM does not show a version that was made a moment ago', async () => {
    const algorithms = ['aes-256-gcm', 'hmac-sha256', 'ed25519', 'rsa-2048'] as const;
    for (const algorithm of algorithms) {
      const { keyId } = await create(algorithm);
      await rotateKey({ kms, caller: admin }, { keyId });
      hsm.lose(nameOf(keyId, 2));
      const use = () =>
        algorithm === 'aes-256-gcm'
          ? encrypt({ kms, caller: admin }, { keyId, plaintext: DATA })
          : algorithm === 'hmac-sha256'
            ? mac({ kms, caller: admin }, { keyId, data: DATA })
            : sign({ kms, caller: admin }, { keyId, data: DATA });
      await expect(use()).rejects.toMatchObject({ code: 'HSM_UNAVAILABLE', retryAfterSeconds: 1 });
      fixture.advance(59_000);
      await expect(use()).rejects.toThrow(HSM_UNAVAILABLE);
      fixture.advance(2000);
      await expect(use()).rejects.toThrow(failure('NOT_FOUND'));
    }
  });

  test('says when an HSM does not answer', async () => {
    hsm.goAway();
    expect(await sweep()).toMatchObject({ answers: false });
  });
});
