import { createCipheriv, createPublicKey, encapsulate, randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import {
  BOUNDS,
  type ChangeFeed,
  createIdentityBinding,
  createImportParameters,
  createKey,
  createTenant,
  decrypt,
  deleteIdentityBinding,
  denyIdentity,
  destroyKey,
  encrypt,
  getIdentityBinding,
  getKey,
  fieldOf,
  getTenant,
  IdentityRing,
  importKey,
  InProcessFeed,
  KeyHierarchy,
  KeyRing,
  type Kms,
  KmsError,
  listIdentityBindings,
  listKeys,
  newId,
  operationOfService,
  RECORD_FORMATS,
  resealMasterKeys,
  resolveAlgorithm,
  rotateDueMasterKeys,
  rotateKey,
  rotateMasterKey,
  rotationSchedules,
  type SharedCache,
  SharedRecords,
  shredKey,
  shredTenant,
  startScheduledWork,
  suspendKey,
  SYSTEM_TENANT,
  TENANT_RETIRED_MASTER_KEYS,
  TokenRing,
  updateKey,
  type WorkReport,
} from '../src/exports/internal.ts';
import { MapCache } from '../src/testing/map-cache.ts';
import { failure } from './crypto-samples.ts';
import { ISSUER, proven } from './identity-samples.ts';
import { callerOf, type Fixture, makeFixture, promised } from './kms-fixture.ts';

const DAY = 24 * 60 * 60 * 1000;
const plaintext = Buffer.from('data');
const signal = new AbortController().signal;

let f: Fixture;

beforeEach(async () => {
  f = await makeFixture();
});

const op = (kms: Kms = f.kms, key?: string) => ({
  kms,
  caller: f.admin,
  ...(key === undefined ? {} : { idempotency: { key, fingerprint: Buffer.alloc(32, key) } }),
});
const rotate = (kms: Kms = f.kms) => rotateMasterKey(op(kms), { tenantId: f.tenantId });
const reseal = (kms: Kms = f.kms) => resealMasterKeys(operationOfService(kms, 'resealMasterKeys'), signal);
const rotateDue = (days: number) =>
  rotateDueMasterKeys(operationOfService(f.kms, 'rotateDueMasterKeys'), { days, limit: 10 }, signal);

/** A node on the same store whose feed proves everything and tells nothing: it never hears of a rotation. */
function deafNode(feed: ChangeFeed = new InProcessFeed(), shared?: SharedRecords): Kms {
  const hierarchy = new KeyHierarchy(f.store, f.roots, { feed });
  const caches = <V extends object>() => ({ feed, memory: new MapCache<V>() });
  return {
    ...f.kms,
    hierarchy,
    keyRing: new KeyRing(f.store, hierarchy, { ...caches(), shared }),
    tokens: new TokenRing(f.store, hierarchy, caches()),
    identities: new IdentityRing(f.store, hierarchy, caches(), f.kms.clock),
  };
}

const claimsOf = (sub: string) => proven({ sub }, { issuedAt: f.kms.clock() - 60_000 });

/** The versions of the master key that are named by anything of the tenant. */
async function named(): Promise<readonly number[]> {
  const all = await f.store.transact({ kind: 'tenant', tenantId: f.tenantId }, async (unit) => {
    const top = 1000;
    const keys = await unit.seals.lockKeys(f.tenantId, top, 1000, []);
    const { bindings, denials } = await unit.seals.lockIdentities(f.tenantId, top, 1000, []);
    const wraps = await unit.tenants.masterKeyWraps(f.tenantId);
    return [
      ...keys.flatMap(({ mac, versions }) => [
        mac.tmkVersion,
        ...versions.flatMap(({ material }) => (material.kind === 'sealed' ? material.tmkVersion : [])),
      ]),
      ...[...bindings, ...denials].map(({ mac }) => mac.tmkVersion),
      ...wraps.map(({ tmkVersion }) => tmkVersion),
    ];
  });
  return [...new Set(all)].sort();
}

async function imported(kms: Kms) {
  const parameters = await createImportParameters(op(kms), { wrappingAlgorithm: 'ML_KEM_768_AES_KWP' });
  const publicKey = createPublicKey({ key: Buffer.from(parameters.publicKey), format: 'der', type: 'spki' });
  const { sharedKey, ciphertext } = encapsulate(publicKey);
  const cipher = createCipheriv('id-aes256-wrap-pad', sharedKey, Buffer.from('a65959a6', 'hex'));
  return {
    algorithm: resolveAlgorithm('AES-256-GCM'),
    wrappingAlgorithm: 'ML_KEM_768_AES_KWP',
    importToken: parameters.importToken,
    wrappedMaterial: Buffer.concat([ciphertext, cipher.update(randomBytes(32)), cipher.final()]),
  } as const;
}

describe('a rotation of a master key', () => {
  test('seals what is new under the new version at once, and opens what is under the earlier one', async () => {
    const before = await createKey(op(), {});
    const { ciphertext } = await encrypt(op(), { keyId: before.keyId, plaintext });
    const { masterKey } = await rotate();
    expect(masterKey).toEqual({
      version: 2,
      oldestVersion: 1,
      createdAt: expect.any(String),
      resealing: { done: 0, total: 1 },
    });
    const after = await createKey(op(), {});
    const record = await f.store.readKey(f.tenantId, after.keyId);
    expect(record).toMatchObject({ mac: { tmkVersion: 2 }, versions: [{ material: { tmkVersion: 2 } }] });
    expect(Buffer.from((await decrypt(op(), { ciphertext })).plaintext)).toEqual(plaintext);
    expect((await getTenant(op(), { tenantId: f.tenantId })).masterKey?.resealing).toEqual({ done: 1, total: 2 });
    expect(await named()).toEqual([1, 2]);
  });

  test('ends with nothing under the earlier version, and that destroyed', async () => {
    const keys = await Promise.all(Array.from({ length: 45 }, () => createKey(op(), {})));
    const [rotated, destroyed, suspended] = keys.map(({ keyId }) => keyId);
    if (rotated === undefined || destroyed === undefined || suspended === undefined) throw new Error('there are keys');
    for (let round = 0; round < 3; round += 1) await rotateKey(op(), { keyId: rotated });
    await shredKey(op(), { keyId: destroyed, confirmation: `SHRED-${destroyed}` });
    const match = { sub: 'orders' };
    const { bindingId } = await createIdentityBinding(op(), { issuer: ISSUER, match, role: 'key_user' });
    const gone = await createIdentityBinding(op(), { issuer: ISSUER, match: { sub: 'old' }, role: 'key_user' });
    await deleteIdentityBinding(op(), { bindingId: gone.bindingId });
    await denyIdentity(op(), { issuer: ISSUER, sub: 'thief' });
    const ciphertexts = await Promise.all(
      keys.filter(({ keyId }) => keyId !== destroyed).map(async ({ keyId }) => encrypt(op(), { keyId, plaintext })),
    );
    const shown = await getKey(op(), { keyId: rotated });
    await rotate();
    // Its MAC is under the new version, its material is not.
    await suspendKey(op(), { keyId: suspended });
    const report = await reseal();
    expect(report).toEqual({ resealed: 48, retired: [f.tenantId], kept: 0, failed: [] });
    expect(await named()).toEqual([2]);
    expect((await getTenant(op(), { tenantId: f.tenantId })).masterKey).toMatchObject({
      version: 2,
      oldestVersion: 2,
      resealing: { done: 48, total: 48 },
    });
    for (const kms of [f.kms, await f.restarted()]) {
      for (const { ciphertext } of ciphertexts)
        if (ciphertext !== ciphertexts[1]?.ciphertext)
          expect(Buffer.from((await decrypt(op(kms), { ciphertext })).plaintext)).toEqual(plaintext);
      // Neither its revision nor its times moved.
      expect(await getKey(op(kms), { keyId: rotated })).toEqual(shown);
      expect((await listKeys(op(kms), { limit: 200 })).warnings).toBeUndefined();
      expect((await getIdentityBinding(op(kms), { bindingId })).bindingId).toBe(bindingId);
      expect((await kms.identities.find(claimsOf('orders'))).tenantId).toBe(f.tenantId);
      await expect(promised(() => kms.identities.find(claimsOf('thief')))).rejects.toThrow(failure('UNAUTHORIZED'));
    }
    expect(await reseal()).toEqual({ resealed: 0, retired: [], kept: 0, failed: [] });
  });

  test('keeps what lasts a day: answers to repeated calls, and import tokens, through two rotations; then forgets their keys', async () => {
    const repeated = async () => (await createKey(op(f.kms, 'one'), {})).keyId;
    const brought = await imported(f.kms);
    const first = await repeated();
    for (let round = 0; round < 2; round += 1) {
      await rotate();
      expect((await reseal()).retired).toEqual([f.tenantId]);
    }
    expect(await named()).toEqual([3]);
    const kms = await f.restarted();
    expect((await createKey(op(kms, 'one'), {})).keyId).toBe(first);
    await expect(
      createKey({ ...op(kms), idempotency: { key: 'one', fingerprint: Buffer.alloc(32) } }, {}),
    ).rejects.toThrow(failure('IDEMPOTENCY_MISMATCH'));
    await importKey(op(kms), brought);
    const fieldsOf = () =>
      f.store.transact({ kind: 'system' }, async (unit) => (await unit.tenants.get(f.tenantId))?.fields);
    expect(await fieldsOf()).toMatchObject({ retiredMasterKeys: [{ version: 1 }, { version: 2 }] });
    await rotateDue(0);
    expect(await fieldsOf()).toMatchObject({ retiredMasterKeys: [{ version: 1 }, { version: 2 }] });
    f.advance(26 * 60 * 60 * 1000);
    expect(await rotateDue(0)).toEqual({ rotated: 0, more: false, failed: [] });
    expect(Object.keys((await fieldsOf()) ?? {})).toEqual(['masterKeyCreatedAt']);
    const chain = await (await f.restarted()).hierarchy.masterKeys(f.tenantId);
    expect(chain.derived(1, 'qnsp-kms/v1/import-token')).toBeUndefined();
    expect(chain.derived(3, 'qnsp-kms/v1/import-token')).toBeDefined();
  });

  test('is done as often in a day as there may be earlier versions, so that what is left of them does not pile up', async () => {
    const retired = async () => {
      const tenant = await f.store.transact({ kind: 'system' }, (unit) => unit.tenants.get(f.tenantId));
      return fieldOf(tenant?.fields ?? {}, TENANT_RETIRED_MASTER_KEYS)?.length;
    };
    for (let done = 0; done < BOUNDS.earlierMasterKeys; done += 1) {
      await rotate();
      // Some are destroyed alone, some with others: all of them count.
      if (done % 3 !== 1) await reseal();
    }
    await expect(rotate()).rejects.toThrow(failure('CONFLICT'));
    await reseal();
    await expect(rotate()).rejects.toThrow(failure('CONFLICT'));
    expect(await retired()).toBe(BOUNDS.earlierMasterKeys);
    f.advance(26 * 60 * 60 * 1000);
    await rotate();
    await reseal();
    expect(await retired()).toBe(1);
  });

  test('is done once for one idempotency key, and refused to whom it is not for', async () => {
    const once = () => rotateMasterKey(op(f.kms, 'rotation'), { tenantId: f.tenantId });
    expect((await once()).masterKey?.version).toBe(2);
    await reseal();
    expect((await once()).masterKey?.version).toBe(2);
    expect((await getTenant(op(), { tenantId: f.tenantId })).masterKey?.version).toBe(2);
    const caller = callerOf(f.tenantId, 'key_admin');
    await expect(rotateMasterKey({ kms: f.kms, caller }, { tenantId: f.tenantId })).rejects.toThrow(
      failure('FORBIDDEN'),
    );
    await expect(getTenant({ kms: f.kms, caller }, { tenantId: f.tenantId })).rejects.toThrow(failure('FORBIDDEN'));
    const auditor = callerOf(f.tenantId, 'auditor');
    expect((await getTenant({ kms: f.kms, caller: auditor }, { tenantId: f.tenantId })).masterKey?.version).toBe(2);
    await expect(rotateMasterKey(op(), { tenantId: newId() })).rejects.toThrow(failure('TENANT_MISMATCH'));
    await expect(getTenant(op(), { tenantId: newId() })).rejects.toThrow(failure('TENANT_MISMATCH'));
  });

  test('is one rotation of two that come at the same moment', async () => {
    const outcomes = await Promise.allSettled([rotate(), rotate(deafNode()), rotate()]);
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected').map(({ reason }) => reason as unknown);
    expect(refused).toEqual([failure('CONFLICT'), failure('CONFLICT')]);
    expect(await named()).toEqual([1, 2]);
  });

  test('is refused after three that were not sealed again yet', async () => {
    await createKey(op(), {});
    for (let round = 0; round < 3; round += 1) await rotate();
    await expect(rotate()).rejects.toThrow(failure('CONFLICT'));
    expect(await named()).toEqual([1, 2, 3, 4]);
    await reseal();
    expect(await named()).toEqual([4]);
    expect((await rotate()).masterKey?.version).toBe(5);
  });

  test('is refused while nodes of an earlier release are running', async () => {
    const hierarchy = new KeyHierarchy(f.store, f.roots, { formats: { ...RECORD_FORMATS, rotatesMasterKeys: false } });
    await expect(rotate({ ...f.kms, hierarchy })).rejects.toThrow(failure('CONFLICT'));
    expect(await named()).toEqual([1]);
  });

  test('is not for the service itself, of which no record is shown', async () => {
    const caller = callerOf(SYSTEM_TENANT, 'tenant_admin');
    await expect(rotateMasterKey({ kms: f.kms, caller }, { tenantId: SYSTEM_TENANT })).rejects.toThrow(
      failure('NOT_FOUND'),
    );
  });

  test('is refused to a tenant that was shredded, which has no master key any more', async () => {
    await shredTenant(op(), { tenantId: f.tenantId, confirmation: `SHRED-${f.tenantId}`, reason: 'test' });
    await expect(rotate()).rejects.toThrow(failure('CONFLICT'));
    expect(await getTenant(op(), { tenantId: f.tenantId })).toMatchObject({ state: 'shredded', masterKey: null });
  });

  test('leaves what somebody changed in the database as it is, and the earlier version for it', async () => {
    const [forged, sound] = [await createKey(op(), {}), await createKey(op(), {})];
    const record = await f.store.readKey(f.tenantId, forged.keyId);
    if (record === undefined) throw new Error('there is no such key');
    const changed = { ...record, name: 'forged', revision: 2 };
    await f.store.transact({ kind: 'tenant', tenantId: f.tenantId }, (unit) => unit.keys.update(changed, 1));
    const alerts: string[] = [];
    const kms = { ...f.kms, alert: ({ message }: { readonly message: string }) => void alerts.push(message) };
    await rotate();
    expect(await reseal(kms)).toEqual({ resealed: 1, retired: [], kept: 1, failed: [] });
    expect(alerts).toEqual([expect.stringContaining(forged.keyId)]);
    expect(await named()).toEqual([1, 2]);
    expect((await f.store.readKey(f.tenantId, sound.keyId))?.mac.tmkVersion).toBe(2);
    expect((await getTenant(op(), { tenantId: f.tenantId })).masterKey?.resealing).toEqual({ done: 1, total: 2 });
  });

  test('says what it found forged once, and again what is forged in another rotation', async () => {
    const { keyId } = await createKey(op(), {});
    const record = await f.store.readKey(f.tenantId, keyId);
    if (record === undefined) throw new Error('there is no such key');
    const put = (changed: typeof record) =>
      f.store.transact({ kind: 'tenant', tenantId: f.tenantId }, (unit) =>
        unit.keys.update(changed, changed.revision - 1),
      );
    await put({ ...record, name: 'forged', revision: 2 });
    await rotate();
    const alerts: string[] = [];
    const kms = { ...f.kms, alert: ({ message }: { readonly message: string }) => void alerts.push(message) };
    const reports: WorkReport[] = [];
    let turns = 0;
    const work = startScheduledWork(kms, {
      intervalMs: 1,
      report: (report) => reports.push(report),
      mayWork: async () => {
        turns += 1;
        return true;
      },
    });
    const severalTurns = async () => {
      const until = turns + 20;
      await vi.waitFor(() => expect(turns).toBeGreaterThan(until), { timeout: 60_000 });
    };
    try {
      await vi.waitFor(() => expect(reports).toContainEqual({ kind: 'records-kept', kept: 1 }), { timeout: 60_000 });
      await severalTurns();
      expect(alerts).toEqual([expect.stringContaining(keyId)]);
      await put((await f.kms.hierarchy.masterKeys(f.tenantId)).signRecord({ ...record, revision: 3 }));
      await vi.waitFor(async () => expect(await named()).toEqual([2]), { timeout: 60_000 });
      await severalTurns();
      const sound = await f.store.readKey(f.tenantId, keyId);
      if (sound === undefined) throw new Error('there is no such key');
      await put({ ...sound, name: 'forged', revision: 4 });
      await rotate();
      await severalTurns();
      expect(alerts).toEqual([expect.stringContaining(keyId), expect.stringContaining(keyId)]);
    } finally {
      await work.stop();
    }
  });

  test.each(['INTERNAL_ERROR', 'CONFLICT', 'NOT_FOUND'] as const)(
    'fails with a store that refuses with %s what is sealed again, and calls nothing forged',
    async (code) => {
      const { keyId } = await createKey(op(), {});
      await rotate();
      const alerts: unknown[] = [];
      const transact: typeof f.store.transact = (scope, work) =>
        f.store.transact(scope, (unit) => {
          const { seals } = unit;
          const resealKey: typeof seals.resealKey = async (key) => {
            await seals.resealKey(key);
            throw new KmsError(code, 'refused');
          };
          const half = new Proxy(seals, {
            get: (target, name) => {
              if (name === 'resealKey') return resealKey;
              const value: unknown = Reflect.get(target, name);
              return typeof value === 'function' ? (value.bind(target) as unknown) : value;
            },
          });
          return work({ ...unit, seals: half });
        });
      const store = Object.assign(Object.create(f.store), { transact }) as typeof f.store;
      const report = await reseal({ ...f.kms, store, alert: (alert) => alerts.push(alert) });
      expect(report).toEqual({
        resealed: 0,
        retired: [],
        kept: 0,
        failed: [{ tenantId: f.tenantId, error: failure(code) }],
      });
      expect(alerts).toEqual([]);
      expect((await f.store.readKey(f.tenantId, keyId))?.mac.tmkVersion).toBe(1);
      expect((await reseal()).retired).toEqual([f.tenantId]);
    },
  );

  test('goes on after every moment at which it may end, and loses nothing', async () => {
    const keys = await Promise.all(Array.from({ length: 50 }, () => createKey(op(), {})));
    const made = await Promise.all(keys.map(async ({ keyId }) => encrypt(op(), { keyId, plaintext })));
    await denyIdentity(op(), { issuer: ISSUER, sub: 'thief' });
    await rotate();
    for (let units = 1; ; units += 1) {
      // A process that ends after so many units of work, of which the last is not committed.
      let left = units;
      const transact: typeof f.store.transact = (scope, work) =>
        f.store.transact(scope, async (unit) => {
          const answer = await work(unit);
          left -= 1;
          if (left < 0) throw new Error('the process ended');
          return answer;
        });
      const mortal = Object.assign(Object.create(f.store), { transact }) as typeof f.store;
      const kms = { ...f.kms, store: mortal };
      const ended = await reseal(kms).then(
        ({ failed }) => failed.length === 0,
        () => false,
      );
      for (const { ciphertext } of made.slice(0, 3))
        expect(Buffer.from((await decrypt(op(await f.restarted()), { ciphertext })).plaintext)).toEqual(plaintext);
      if (ended) break;
      expect(units).toBeLessThan(20);
    }
    expect(await named()).toEqual([2]);
    for (const { ciphertext } of made)
      expect(Buffer.from((await decrypt(op(await f.restarted()), { ciphertext })).plaintext)).toEqual(plaintext);
  });

  test('gives way to a shred in its middle', async () => {
    await Promise.all(Array.from({ length: 50 }, () => createKey(op(), {})));
    await rotate();
    const stopping = new AbortController();
    const transact: typeof f.store.transact = (scope, work) => {
      stopping.abort();
      return f.store.transact(scope, work);
    };
    const store = Object.assign(Object.create(f.store), { transact }) as typeof f.store;
    await resealMasterKeys(operationOfService({ ...f.kms, store }, 'resealMasterKeys'), stopping.signal);
    await shredTenant(op(), { tenantId: f.tenantId, confirmation: `SHRED-${f.tenantId}`, reason: 'test' });
    expect(await reseal()).toEqual({ resealed: 0, retired: [], kept: 0, failed: [] });
    expect(await f.store.transact({ kind: 'system' }, (unit) => unit.tenants.masterKeyWraps(f.tenantId))).toEqual([]);
  });
});

describe('a node that has not heard of a rotation', () => {
  /** What a node holds from before a rotation, of which it hears nothing, and after which the earlier version is destroyed. */
  async function late(between: () => Promise<unknown> = async () => undefined): Promise<Kms> {
    const kms = deafNode();
    await kms.hierarchy.masterKeys(f.tenantId);
    await rotate();
    await between();
    expect((await reseal()).retired).toEqual([f.tenantId]);
    return kms;
  }

  test('uses, shows, lists and changes keys all the same, and writes nothing under the version that was destroyed', async () => {
    const [one, two] = [await createKey(op(), {}), await createKey(op(), { rotation: { periodSeconds: 3600 } })];
    const { ciphertext } = await encrypt(op(), { keyId: one.keyId, plaintext });
    const works: readonly ((kms: Kms) => Promise<unknown>)[] = [
      (kms) => promised(() => encrypt(op(kms), { keyId: one.keyId, plaintext })),
      async (kms) => expect((await decrypt(op(kms), { ciphertext })).keyId).toBe(one.keyId),
      (kms) => getKey(op(kms), { keyId: one.keyId }),
      async (kms) => expect((await listKeys(op(kms), {})).warnings).toBeUndefined(),
      async (kms) => expect((await rotationSchedules(op(kms), {})).items).toHaveLength(1),
      (kms) => createKey(op(kms), {}),
      (kms) => createKey(op(kms, newId()), {}),
      (kms) => updateKey(op(kms), { keyId: one.keyId, name: newId() }),
      (kms) => rotateKey(op(kms), { keyId: two.keyId }),
      async (kms) => importKey(op(kms), await imported(kms)),
      (kms) => createIdentityBinding(op(kms), { issuer: ISSUER, match: { sub: newId() }, role: 'auditor' }),
      (kms) => denyIdentity(op(kms), { issuer: ISSUER, sub: newId() }),
      (kms) => destroyKey(op(kms), { keyId: two.keyId }),
    ];
    for (const work of works) {
      const kms = await late();
      await work(kms);
      const chain = await f.kms.hierarchy.masterKeys(f.tenantId);
      expect(await named()).toEqual([chain.current.version]);
    }
  });

  test('lets in whom a binding of then lets in, and keeps out whom a denial of then shuts out', async () => {
    const bind = (sub: string) => createIdentityBinding(op(), { issuer: ISSUER, match: { sub }, role: 'auditor' });
    await bind('before');
    const kms = await late(async () => {
      await bind('after');
      await denyIdentity(op(), { issuer: ISSUER, sub: 'before' });
    });
    expect((await kms.identities.find(claimsOf('after'))).tenantId).toBe(f.tenantId);
    await expect(promised(() => kms.identities.find(claimsOf('before')))).rejects.toThrow(failure('UNAUTHORIZED'));
    expect((await listIdentityBindings(op(kms), {})).items).toHaveLength(2);
  });

  test('repeats an answer of then, and takes an import token of then', async () => {
    let brought: Awaited<ReturnType<typeof imported>> | undefined;
    const kms = await late(async () => {
      brought = await imported(f.kms);
      await createKey(op(f.kms, 'one'), {});
    });
    if (brought === undefined) throw new Error('there is no token');
    expect((await createKey(op(kms, 'one'), {})).keyId).toBe((await createKey(op(f.kms, 'one'), {})).keyId);
    await importKey(op(deafNode()), brought);
    const another = await late();
    await importKey(op(another), brought);
  });

  test('still tells a version that never was from one that it missed', async () => {
    const { keyId } = await createKey(op(), {});
    const record = await f.store.readKey(f.tenantId, keyId);
    if (record === undefined) throw new Error('there is no such key');
    const forged = { ...record, revision: 2, mac: { ...record.mac, tmkVersion: 7 } };
    await f.store.transact({ kind: 'tenant', tenantId: f.tenantId }, (unit) => unit.keys.update(forged, 1));
    await expect(promised(() => encrypt(op(), { keyId, plaintext }))).rejects.toThrow(failure('INTERNAL_ERROR'));
    await expect(updateKey(op(), { keyId, name: 'new' })).rejects.toThrow(failure('INTERNAL_ERROR'));
    expect((await listKeys(op(), {})).warnings).toHaveLength(1);
  });
});

test('an entry of the shared cache from before a rotation is outdated, not forged', async () => {
  const values = new Map<string, Uint8Array>();
  const cache: SharedCache = {
    get: async (name) => values.get(name),
    put: (name, bytes) => void values.set(name, bytes),
  };
  const rejected: string[] = [];
  const sharing = () => new SharedRecords(cache, f.store.changes, (keyId) => rejected.push(keyId));
  const { keyId } = await createKey(op(), {});
  const shared = [sharing(), sharing()] as const;
  f.store.changes.deliver({ kind: 'tenant', tenantId: 'another' });
  const [first, second] = shared.map((each) => deafNode(f.store.changes, each));
  if (first === undefined || second === undefined) throw new Error('there are two nodes');
  await encrypt(op(first), { keyId, plaintext });
  const old = values.get(`${f.tenantId}:${keyId}`);
  if (old === undefined) throw new Error('nothing was shared');
  await rotate();
  await reseal();
  await encrypt(op(second), { keyId, plaintext });
  expect(shared[1].counts).toEqual({ hits: 0, misses: 0, outdated: 1, rejected: 0 });
  expect(rejected).toEqual([]);
});

describe('the schedule of master keys', () => {
  test('rotates those that are old enough, and counts from the last rotation', async () => {
    const platform = callerOf(SYSTEM_TENANT, 'platform_admin');
    const younger = async () => (await createTenant({ kms: f.kms, caller: platform }, { name: 'younger' })).tenantId;
    f.advance(364 * DAY);
    const other = await younger();
    expect(await rotateDue(365)).toEqual({ rotated: 0, more: false, failed: [] });
    f.advance(2 * DAY);
    expect(await rotateDue(0)).toEqual({ rotated: 0, more: false, failed: [] });
    expect(await rotateDue(365)).toEqual({ rotated: 1, more: false, failed: [] });
    expect(await rotateDue(365)).toEqual({ rotated: 0, more: false, failed: [] });
    expect(await named()).toEqual([1, 2]);
    await reseal();
    f.advance(364 * DAY);
    expect(await rotateDue(365)).toEqual({ rotated: 1, more: false, failed: [] });
    expect((await f.kms.hierarchy.masterKeys(other)).current.version).toBe(2);
    f.advance(2 * DAY);
    expect(await rotateDue(365)).toEqual({ rotated: 1, more: false, failed: [] });
    expect(await named()).toEqual([2, 3]);
  });

  test('rotates no more at a time than it is told, and waits while nodes of an earlier release are running', async () => {
    const platform = callerOf(SYSTEM_TENANT, 'platform_admin');
    for (let n = 0; n < 2; n += 1) await createTenant({ kms: f.kms, caller: platform }, { name: `tenant ${n}` });
    f.advance(366 * DAY);
    const hierarchy = new KeyHierarchy(f.store, f.roots, { formats: { ...RECORD_FORMATS, rotatesMasterKeys: false } });
    const run = (kms: Kms, limit: number) =>
      rotateDueMasterKeys(operationOfService(kms, 'rotateDueMasterKeys'), { days: 365, limit }, signal);
    expect(await run({ ...f.kms, hierarchy }, 10)).toEqual({ rotated: 0, more: false, failed: [] });
    expect(await run(f.kms, 2)).toEqual({ rotated: 2, more: true, failed: [] });
    expect(await run(f.kms, 2)).toEqual({ rotated: 1, more: false, failed: [] });
  });
});
