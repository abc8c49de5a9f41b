import { describe, expect, it } from 'vitest';
import {
  createKey,
  decrypt,
  destroyKey,
  encrypt,
  restoreKey,
  SYSTEM_TENANT,
  shredKey,
  updateKey,
  updateTenant,
} from '../src/exports/internal.ts';
import type { Store } from '../src/ports/store.ts';
import { callerOf, type Fixture, makeFixture } from './kms-fixture.ts';

const HOUR_MS = 60 * 60_000;
const DAY_MS = 24 * HOUR_MS;
const plaintext = Buffer.from('hello');

/** The same object with another method. */
function withMember<T extends object, K extends keyof T>(object: T, name: K, member: T[K]): T {
  return new Proxy(object, {
    get: (target, asked): unknown => {
      if (asked === name) return member;
      const found: unknown = Reflect.get(target, asked);
      return typeof found === 'function' ? (found.bind(target) as unknown) : found;
    },
  });
}

/** A key that was just used, and when. */
async function usedKey(f: Fixture, settings: object = {}): Promise<{ readonly keyId: string; readonly hour: Date }> {
  const op = { kms: f.kms, caller: f.admin };
  const { keyId } = await createKey(op, settings);
  await encrypt(op, { keyId, plaintext });
  return { keyId, hour: new Date(Math.floor(f.kms.clock() / HOUR_MS) * HOUR_MS) };
}

describe('the destruction of a key', () => {
  it('names the last use in the warnings of its answer, whether it is written yet or not', async () => {
    const f = await makeFixture({ frozenClock: true });
    const op = { kms: f.kms, caller: f.admin };
    const { keyId, hour } = await usedKey(f);
    const warning = `The key was last used in the hour from ${hour.toISOString()}, version 1 to protect something new.`;
    expect((await destroyKey(op, { keyId })).warnings).toEqual([warning]);
    await restoreKey(op, { keyId });
    await f.kms.uses.flush(f.store);
    expect((await shredKey(op, { keyId, confirmation: `SHRED-${keyId}` })).warnings).toEqual([warning]);
    const unused = await createKey(op, {});
    expect((await destroyKey(op, unused)).warnings).toBeUndefined();
  });

  it('of a guarded key takes an acknowledgement of exactly the last use, until the guard is over', async () => {
    const f = await makeFixture({ frozenClock: true });
    const op = { kms: f.kms, caller: f.admin };
    const { keyId, hour } = await usedKey(f, { destroyGuardDays: 30 });
    const { keyId: forgotten } = await usedKey(f, { destroyGuardDays: 30 });
    const refusal = {
      code: 'KEY_STATE_INVALID',
      details: { state: 'active', lastUse: hour.toISOString(), destroyGuardDays: 30 },
    };
    await expect(destroyKey(op, { keyId })).rejects.toMatchObject(refusal);
    await expect(shredKey(op, { keyId, confirmation: `SHRED-${keyId}` })).rejects.toMatchObject(refusal);
    const wrong = new Date(hour.getTime() + 1);
    await expect(destroyKey(op, { keyId, acknowledgeLastUse: wrong })).rejects.toMatchObject(refusal);
    expect((await destroyKey(op, { keyId, acknowledgeLastUse: hour })).state).toBe('deactivated');
    f.advance(30 * DAY_MS - HOUR_MS);
    await expect(destroyKey(op, { keyId: forgotten })).rejects.toMatchObject(refusal);
    f.advance(2 * HOUR_MS);
    expect((await destroyKey(op, { keyId: forgotten })).state).toBe('deactivated');
  });

  it('is refused with an acknowledgement of another use than the last one, guarded or not', async () => {
    const f = await makeFixture({ frozenClock: true });
    const op = { kms: f.kms, caller: f.admin };
    const { keyId, hour } = await usedKey(f);
    const { ciphertext } = await encrypt(op, { keyId, plaintext });
    f.advance(HOUR_MS);
    await decrypt(op, { ciphertext });
    const attempt = destroyKey(op, { keyId, acknowledgeLastUse: hour });
    await expect(attempt).rejects.toMatchObject({ code: 'KEY_STATE_INVALID' });
    const unused = await createKey(op, {});
    const nothing = destroyKey(op, { ...unused, acknowledgeLastUse: hour });
    await expect(nothing).rejects.toMatchObject({ code: 'KEY_STATE_INVALID', details: { lastUse: null } });
    const acknowledgeLastUse = new Date(hour.getTime() + HOUR_MS);
    expect((await destroyKey(op, { keyId, acknowledgeLastUse })).state).toBe('deactivated');
  });

  it('is guarded by the longer one of the guards of the key and of the tenant', async () => {
    const f = await makeFixture({ frozenClock: true });
    const op = { kms: f.kms, caller: f.admin };
    const platform = { kms: f.kms, caller: callerOf(SYSTEM_TENANT, 'platform_admin') };
    const guard = (destroyGuardDays: number | null) =>
      updateTenant(platform, { tenantId: f.tenantId, limits: { destroyGuardDays } });
    await guard(2);
    const { keyId } = await usedKey(f, { destroyGuardDays: 1 });
    await expect(destroyKey(op, { keyId })).rejects.toMatchObject({ details: { destroyGuardDays: 2 } });
    await updateKey(op, { keyId, destroyGuardDays: 3 });
    await expect(destroyKey(op, { keyId })).rejects.toMatchObject({ details: { destroyGuardDays: 3 } });
    await updateKey(op, { keyId, destroyGuardDays: null });
    await guard(0);
    expect((await destroyKey(op, { keyId })).state).toBe('deactivated');
  });

  it('is guarded by that of the deployment where the tenant has none of its own', async () => {
    const f = await makeFixture({ frozenClock: true });
    const kms = { ...f.kms, settings: { ...f.kms.settings, destroyGuardDays: 7 } };
    const { keyId } = await usedKey(f);
    const attempt = destroyKey({ kms, caller: f.admin }, { keyId });
    await expect(attempt).rejects.toMatchObject({ details: { destroyGuardDays: 7 } });
  });

  it('of a key that is older than the notes takes an acknowledgement of when they began', async () => {
    const f = await makeFixture({ frozenClock: true });
    const { keyId } = await createKey({ kms: f.kms, caller: f.admin }, { destroyGuardDays: 30 });
    const since = new Date(f.kms.clock() + 1000);
    const transact: Store['transact'] = (scope, work) =>
      f.store.transact(scope, (unit) => {
        const keys = withMember(unit.keys, 'lastUses', async () => ({ since, versions: [] }));
        return work({ ...unit, keys });
      });
    const store = withMember(f.kms.store, 'transact', transact);
    const op = { kms: { ...f.kms, store }, caller: f.admin };
    await expect(destroyKey(op, { keyId })).rejects.toMatchObject({ details: { lastUse: since.toISOString() } });
    const { warnings } = await destroyKey(op, { keyId, acknowledgeLastUse: since });
    expect(warnings?.[0]).toMatch(/whether it was before that is not known/);
  });
});
