import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  type Alert,
  addRoot,
  completeWraps,
  establishRoots,
  initialiseRoots,
  type OperationName,
  operationOfService,
  KeyHierarchy,
  KmsError,
  newId,
  retireRoot,
  rootStatus,
  rotateRoot,
  SYSTEM_TENANT,
  type RootProvider,
  type Store,
} from '../src/exports/internal.ts';
import {
  addTenant as insertTenant,
  failableRoot,
  inMemoryStore,
  type FailableRoot,
  sampleTenant,
  SYSTEM,
} from '../src/testing/index.ts';
import { failure } from './crypto-samples.ts';

const HSM_UNAVAILABLE = failure('HSM_UNAVAILABLE');
const SEALED = failure('SEALED');
const CONFLICT = failure('CONFLICT');
const makeRoot = async () => undefined;

let store: Store;
let a: FailableRoot;
let b: FailableRoot;
let alerts: Alert[];

beforeEach(() => {
  store = inMemoryStore();
  a = failableRoot('hsm-a', randomBytes(32));
  b = failableRoot('hsm-b', randomBytes(32));
  alerts = [];
});

/** A service that starts now: nothing in memory is left of one before. */
async function start(...roots: RootProvider[]): Promise<KeyHierarchy> {
  const hierarchy = new KeyHierarchy(store, roots, { alert: (alert) => alerts.push(alert) });
  await establishRoots(store, hierarchy, roots);
  return hierarchy;
}

/** An operation of the service, or of a ceremony on its host. */
const by = (name: OperationName, hierarchy: KeyHierarchy) =>
  operationOfService({ store, hierarchy, makeRoot, clock: Date.now }, name);

const addTenant = (hierarchy: KeyHierarchy): Promise<string> => insertTenant(store, hierarchy);

async function opens(tenantId: string, ...roots: RootProvider[]): Promise<boolean> {
  const hierarchy = await start(...roots);
  return hierarchy.masterKeys(tenantId).then(
    () => true,
    () => false,
  );
}

const wrapsOf = async (tenantId: string) =>
  (await store.transact(SYSTEM, (unit) => unit.tenants.masterKeyWraps(tenantId))).map((wrap) => wrap.providerId);

describe('two roots', () => {
  test('wrap every master key, so that either opens everything while the other is away', async () => {
    const tenantId = await addTenant(await start(a, b));
    expect(await wrapsOf(tenantId)).toEqual(['hsm-a', 'hsm-b']);
    a.goAway();
    expect(await opens(tenantId, a, b)).toBe(true);
    a.comeBack();
    b.goAway();
    expect(await opens(tenantId, a, b)).toBe(true);
    a.goAway();
    await expect(start(a, b)).rejects.toThrow(HSM_UNAVAILABLE);
  });

  test('say who is away and who is back, once each', async () => {
    await start(a, b);
    a.goAway();
    const hierarchy = await start(a, b);
    const tenantId = await addTenant(hierarchy);
    await addTenant(hierarchy);
    expect(hierarchy.roots.status().map(({ providerId, state }) => [providerId, state])).toEqual([
      ['hsm-a', 'away'],
      ['hsm-b', 'ready'],
    ]);
    expect(await wrapsOf(tenantId)).toEqual(['hsm-b']);
    a.comeBack();
    await completeWraps(by('completeWraps', hierarchy));
    expect(alerts.map((alert) => alert.kind)).toEqual(['root-away', 'root-back']);
    expect(hierarchy.roots.status()).toMatchObject([{ state: 'ready' }, { state: 'ready' }]);
  });

  test('heal: what was made while one was away is wrapped under it when it is back', async () => {
    const hierarchy = await start(a, b);
    a.goAway();
    const tenantId = await addTenant(hierarchy);
    expect(await completeWraps(by('completeWraps', hierarchy))).toEqual([]);
    a.comeBack();
    expect(await completeWraps(by('completeWraps', hierarchy))).toEqual([
      { providerId: 'hsm-a', added: 1, failed: [] },
    ]);
    expect(await completeWraps(by('completeWraps', hierarchy))).toEqual([]);
    b.goAway();
    expect(await opens(tenantId, a, b)).toBe(true);
  });

  test('never wrap under a token that came back as another one', async () => {
    const hierarchy = await start(a, b);
    a.goAway();
    const tenantId = await addTenant(hierarchy);
    a.exchange(randomBytes(32));
    a.comeBack();
    expect(await completeWraps(by('completeWraps', hierarchy))).toEqual([]);
    const later = await addTenant(hierarchy);
    expect([await wrapsOf(tenantId), await wrapsOf(later)]).toEqual([['hsm-b'], ['hsm-b']]);
    expect(hierarchy.roots.status()[0]).toMatchObject({ state: 'refused' });
    expect(alerts.at(-1)).toMatchObject({
      kind: 'root-refused',
      message: expect.stringMatching(/expects the check value [0-9a-f]{16}, the configured root has [0-9a-f]{16}/),
    });
  });

  test('go on past a damaged wrap, with an alert', async () => {
    const tenantId = await addTenant(await start(a, b));
    const damagedA: RootProvider = {
      ...a,
      unwrap: async () => {
        throw new KmsError('DECRYPT_FAILED', 'damaged');
      },
    };
    const hierarchy = new KeyHierarchy(store, [damagedA, b], { alert: (alert) => alerts.push(alert) });
    await hierarchy.masterKeys(SYSTEM_TENANT);
    alerts.length = 0;
    await expect(hierarchy.masterKeys(tenantId)).resolves.toBeDefined();
    expect(alerts).toMatchObject([{ kind: 'master-key-wrap-damaged' }]);
    await expect(new KeyHierarchy(store, [damagedA]).masterKeys(tenantId)).rejects.toThrow(failure('INTERNAL_ERROR'));
  });

  test('get the wraps of every master key but one that no root opens, and that one is named', async () => {
    const hierarchy = await start(a, b);
    b.goAway();
    const [damaged, sound] = [await addTenant(hierarchy), await addTenant(hierarchy)];
    b.comeBack();
    const refusing: RootProvider = {
      ...a,
      unwrap: (wrapped, aad) =>
        Buffer.from(aad).includes(damaged)
          ? Promise.reject(new KmsError('DECRYPT_FAILED', 'damaged'))
          : a.unwrap(wrapped, aad),
    };
    const broken = new KeyHierarchy(store, [refusing, b]);
    expect(await completeWraps(by('completeWraps', broken))).toMatchObject([
      { providerId: 'hsm-b', added: 1, failed: [{ name: { tenantId: damaged }, error: { code: 'INTERNAL_ERROR' } }] },
    ]);
    expect([await wrapsOf(damaged), await wrapsOf(sound)]).toEqual([['hsm-a'], ['hsm-a', 'hsm-b']]);
    await expect(addRoot(by('addRoot', broken), { providerId: 'hsm-b' })).rejects.toThrow(new RegExp(damaged));
  });

  test('get the wraps of what opens, however many master keys before it do not', async () => {
    const hierarchy = await start(a, b);
    b.goAway();
    const damaged = new Set<string>();
    for (let count = 0; count < 100; count += 1) damaged.add(await addTenant(hierarchy));
    const sound = await addTenant(hierarchy);
    b.comeBack();
    const refusing: RootProvider = {
      ...a,
      unwrap: (wrapped, aad) =>
        [...damaged].some((tenantId) => Buffer.from(aad).includes(tenantId))
          ? Promise.reject(new KmsError('DECRYPT_FAILED', 'damaged'))
          : a.unwrap(wrapped, aad),
    };
    const [completed] = await completeWraps(by('completeWraps', new KeyHierarchy(store, [refusing, b])));
    expect(completed).toMatchObject({ providerId: 'hsm-b', added: 1 });
    expect(new Set(completed?.failed.map(({ name }) => name.tenantId))).toEqual(damaged);
    expect(await wrapsOf(sound)).toEqual(['hsm-a', 'hsm-b']);
  });

  test('get the wraps of every master key but one whose only root is away', async () => {
    const c = failableRoot('hsm-c', randomBytes(32));
    const hierarchy = await start(a, b, c);
    c.goAway();
    b.goAway();
    const waiting = await addTenant(hierarchy);
    b.comeBack();
    a.goAway();
    const sound = await addTenant(hierarchy);
    c.comeBack();
    const failed = [{ name: { tenantId: waiting }, error: { code: 'HSM_UNAVAILABLE' } }];
    expect(await completeWraps(by('completeWraps', hierarchy))).toMatchObject([
      { providerId: 'hsm-b', added: 0, failed },
      { providerId: 'hsm-c', added: 1, failed },
    ]);
    expect(await wrapsOf(sound)).toEqual(['hsm-b', 'hsm-c']);
    await expect(addRoot(by('addRoot', hierarchy), { providerId: 'hsm-c' })).rejects.toThrow(HSM_UNAVAILABLE);
    a.comeBack();
    await completeWraps(by('completeWraps', hierarchy));
    expect(await wrapsOf(waiting)).toEqual(['hsm-a', 'hsm-b', 'hsm-c']);
  });

  test('never store a wrap that does not open', async () => {
    const hierarchy = await start(a);
    const faulty: RootProvider = {
      ...a,
      wrap: async (key, aad) => {
        const wrapped = Buffer.from(await a.wrap(key, aad));
        wrapped[20] = (wrapped[20] ?? 0) ^ 1;
        return wrapped;
      },
    };
    await expect(addTenant(new KeyHierarchy(store, [faulty]))).rejects.toThrow(failure('DECRYPT_FAILED'));
    await expect(addTenant(hierarchy)).resolves.toBeDefined();
  });
});

describe('the start', () => {
  test('makes a root only for a fresh database', async () => {
    const made: string[] = [];
    const make = async (provider: RootProvider) => void made.push(provider.id);
    const first = new KeyHierarchy(store, [a]);
    await establishRoots(store, first, [a], make);
    const again = new KeyHierarchy(store, [a]);
    await establishRoots(store, again, [a], make);
    expect(made).toEqual(['hsm-a']);
  });

  test('never makes a root for a database that has tenants but names no root', async () => {
    await store.transact(SYSTEM, (unit) => unit.tenants.insert(sampleTenant(newId(), { name: 'left over' })));
    await expect(start(a)).rejects.toThrow(SEALED);
  });

  test('names expected and found check values of a wrong root, and refuses one that was never added', async () => {
    await start(a);
    const [expected, found] = [await a.checkValue(), randomBytes(32)];
    a.exchange(found);
    await expect(start(a)).rejects.toThrow(
      new RegExp(`expects the check value ${expected}.*has ${await a.checkValue()}`),
    );
    await expect(start(b)).rejects.toThrow(/hsm-b does not belong to this database \(hsm-a [0-9a-f]{16}\)/);
  });

  test('needs all roots the first time, and one of them later', async () => {
    b.goAway();
    await expect(start(a, b)).rejects.toThrow(HSM_UNAVAILABLE);
    b.comeBack();
    await start(a, b);
    b.goAway();
    await start(a, b);
  });

  test('refuses a configured root that is away and was never added', async () => {
    await start(a);
    b.goAway();
    await expect(start(a, b)).rejects.toThrow(SEALED);
  });
});

describe('the ceremony', () => {
  const ceremony = (name: OperationName, ...roots: RootProvider[]) => by(name, new KeyHierarchy(store, roots));
  const retire = (providerId: string, checkValue?: string) =>
    retireRoot(operationOfService({ store, clock: Date.now }, 'retireRoot'), { providerId, checkValue });

  test('initialises a fresh database, and no other', async () => {
    const report = await initialiseRoots(ceremony('initialiseRoots', a, b));
    expect(report).toMatchObject({
      masterKeys: 1,
      roots: [
        { wraps: 1, inUse: true },
        { wraps: 1, inUse: true },
      ],
    });
    await expect(initialiseRoots(ceremony('initialiseRoots', a, b))).rejects.toThrow(CONFLICT);
  });

  test('adds a provider that then opens everything alone', async () => {
    const tenantId = await addTenant(await start(a));
    expect(await addRoot(ceremony('addRoot', a, b), { providerId: 'hsm-b' })).toMatchObject({ added: 2 });
    expect(await addRoot(ceremony('addRoot', a, b), { providerId: 'hsm-b' })).toMatchObject({ added: 0 });
    expect(await opens(tenantId, b)).toBe(true);
  });

  test('goes on with an addition that was interrupted', async () => {
    const hierarchy = await start(a);
    for (let count = 0; count < 5; count += 1) await addTenant(hierarchy);
    let wraps = 0;
    const dying: RootProvider = {
      ...b,
      wrap: async (key, aad) => {
        wraps += 1;
        if (wraps > 3) throw new Error('killed');
        return b.wrap(key, aad);
      },
    };
    await expect(addRoot(ceremony('addRoot', a, dying), { providerId: 'hsm-b' })).rejects.toThrow('killed');
    expect(await rootStatus(ceremony('rootStatus', a, b))).toMatchObject({
      masterKeys: 6,
      roots: [{ wraps: 6 }, { wraps: 3 }],
    });
    await expect(retire('hsm-a')).rejects.toThrow(CONFLICT);
    expect(await addRoot(ceremony('addRoot', a, b), { providerId: 'hsm-b' })).toMatchObject({ added: 3 });
    await retire('hsm-a');
    await start(b);
  });

  test('retires a provider, but never the last one', async () => {
    const tenantId = await addTenant(await start(a, b));
    await retire('hsm-a');
    expect(await wrapsOf(tenantId)).toEqual(['hsm-b']);
    await expect(retire('hsm-b')).rejects.toThrow(CONFLICT);
    await expect(retire('hsm-a')).rejects.toThrow(failure('NOT_FOUND'));
    await expect(start(a, b)).rejects.toThrow(SEALED);
    expect(await opens(tenantId, b)).toBe(true);
  });

  test('a node that still uses a retired root cannot bring its wraps back', async () => {
    const hierarchy = await start(a, b);
    await retire('hsm-a');
    const tenantId = await addTenant(hierarchy);
    expect(await wrapsOf(tenantId)).toEqual(['hsm-b']);
    expect(await completeWraps(by('completeWraps', hierarchy))).toEqual([]);
  });

  test('rotates a root: old and new both serve until the old one is retired', async () => {
    const tenantId = await addTenant(await start(a));
    const next = failableRoot('hsm-a', randomBytes(32));
    const { root } = await rotateRoot(ceremony('rotateRoot', a, next), { next });
    expect(root.checkValue).toBe(await next.checkValue());
    expect([await opens(tenantId, a), await opens(tenantId, next)]).toEqual([true, true]);
    await expect(retire('hsm-a')).rejects.toThrow(/say which/);
    await retire('hsm-a', await a.checkValue());
    expect(await opens(tenantId, next)).toBe(true);
    await expect(start(a)).rejects.toThrow(SEALED);
    const stranger = failableRoot('hsm-z', randomBytes(32));
    await expect(rotateRoot(ceremony('rotateRoot', next, stranger), { next: stranger })).rejects.toThrow(
      failure('NOT_FOUND'),
    );
  });

  test('a rotation that is repeated with the old settings reaches tenants that nodes on the old root made meanwhile', async () => {
    const onOld = await start(a);
    const next = failableRoot('hsm-a', randomBytes(32));
    await rotateRoot(ceremony('rotateRoot', a, next), { next });
    const tenantId = await addTenant(onOld);
    expect(await opens(tenantId, next)).toBe(false);
    // Until then the old root cannot be taken out of use, so that nothing is lost.
    await expect(retire('hsm-a', await a.checkValue())).rejects.toThrow(CONFLICT);
    expect(await rotateRoot(ceremony('rotateRoot', a, next), { next })).toMatchObject({ added: 1 });
    expect(await opens(tenantId, next)).toBe(true);
    await retire('hsm-a', await a.checkValue());
  });

  test('shows what is configured and what is in use', async () => {
    await start(a);
    b.goAway();
    const report = await rootStatus(ceremony('rootStatus', a, b));
    expect(report).toEqual({
      masterKeys: 1,
      roots: [
        {
          providerId: 'hsm-a',
          checkValue: await a.checkValue(),
          inUse: true,
          configured: true,
          answers: true,
          wraps: 1,
        },
        { providerId: 'hsm-b', checkValue: null, inUse: false, configured: true, answers: false, wraps: 0 },
      ],
    });
  });
});
