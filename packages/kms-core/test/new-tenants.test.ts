import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  addRoot,
  bootstrapTenant,
  createTenant,
  establishRoots,
  KeyHierarchy,
  type Kms,
  newId,
  type RootProvider,
  type Store,
  SYSTEM_TENANT,
} from '../src/index.ts';
import { failableRoot, type FailableRoot, inMemoryStore, SYSTEM } from '../src/testing/index.ts';
import { failure } from './crypto-samples.ts';
import { callerOf, makeFixture } from './kms-fixture.ts';

const operator = callerOf(SYSTEM_TENANT, null, ['kms:tenants:manage']);

let kms: Kms;
let hsm: FailableRoot;
/** Calls of the HSM that were made while a unit of work was open. */
let inUnit: string[];
let onWrap: () => Promise<void>;

beforeEach(async () => {
  inUnit = [];
  const store = watchedStore();
  const watched = <A extends readonly unknown[], T>(name: string, call: (...args: A) => T) => {
    return (...args: A): T => {
      if (store.open > 0) inUnit.push(name);
      return call(...args);
    };
  };
  hsm = failableRoot('hsm-a', randomBytes(32));
  onWrap = async () => undefined;
  const root: RootProvider = {
    id: hsm.id,
    kind: hsm.kind,
    checkValue: watched('checkValue', hsm.checkValue),
    unwrap: watched('unwrap', hsm.unwrap),
    wrap: watched('wrap', async (key: Uint8Array, aad: Uint8Array) => {
      const wrapped = await hsm.wrap(key, aad);
      await onWrap();
      return wrapped;
    }),
  };
  const hierarchy = new KeyHierarchy(store, [root], {
    random: watched('random', (bytes: number) => randomBytes(bytes)),
  });
  await establishRoots(store, hierarchy, [root]);
  kms = { ...(await makeFixture()).kms, store, hierarchy };
  inUnit = [];
});

/** A store that knows how many units of work are open. */
function watchedStore(): Store & { open: number } {
  const store = inMemoryStore();
  const watched = Object.create(store) as Store & { open: number };
  watched.open = 0;
  watched.transact = (scope, work) =>
    store.transact(scope, async (unit) => {
      watched.open += 1;
      try {
        return await work(unit);
      } finally {
        watched.open -= 1;
      }
    });
  return watched;
}

describe('a new tenant', () => {
  test('costs no call of an HSM while a unit of work is open', async () => {
    await bootstrapTenant(kms, 'first', { name: 'token', role: 'tenant_admin' }, () => undefined);
    const { tenantId } = await createTenant(kms, operator, { name: 'second' });
    expect(hsm.uses).toBeGreaterThan(0);
    expect(inUnit).toEqual([]);
    await expect(kms.hierarchy.masterKeys(tenantId)).resolves.toBeDefined();
  });

  test('is asked for again when the roots change between its wraps and its record', async () => {
    const other = failableRoot('hsm-b', randomBytes(32));
    const tenantId = newId();
    onWrap = async () => {
      onWrap = async () => undefined;
      const hierarchy = new KeyHierarchy(kms.store, [hsm, other]);
      await addRoot({ store: kms.store, hierarchy, makeRoot: async () => undefined }, 'hsm-b');
    };
    await expect(createTenant(kms, operator, { tenantId, name: 'raced' })).rejects.toThrow(failure('CONFLICT'));
    expect(await kms.store.transact(SYSTEM, (unit) => unit.tenants.get(tenantId))).toBeUndefined();
    await expect(createTenant(kms, operator, { tenantId, name: 'raced' })).resolves.toMatchObject({ tenantId });
  });

  test('that was made already is answered from before while no HSM answers', async () => {
    const idempotency = { key: 'once', fingerprint: Buffer.alloc(32, 1) };
    const made = await createTenant(kms, operator, { name: 'once', idempotency });
    hsm.goAway();
    await expect(createTenant(kms, operator, { name: 'once', idempotency })).resolves.toEqual(made);
    await expect(createTenant(kms, operator, { name: 'other' })).rejects.toThrow(failure('HSM_UNAVAILABLE'));
  });
});
