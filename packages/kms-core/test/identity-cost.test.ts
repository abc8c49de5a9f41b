import { beforeEach, describe, expect, test } from 'vitest';
import {
  type BoundIdentities,
  BOUNDS,
  type Identity,
  IdentityAuthority,
  type IdentityBindingRecord,
  IdentityRing,
  newId,
  type TenantId,
} from '../src/exports/internal.ts';
import { foundByMatch } from '../src/access/found-by.ts';
import { BEYOND_KEYS, effectivePermissions } from '../src/access/permissions.ts';
import { unitedIdentity } from '../src/access/united-bindings.ts';
import { MapCache } from '../src/testing/map-cache.ts';
import { addTenant, type Fixture, makeFixture, promised } from './kms-fixture.ts';
import { ISSUER, proven } from './identity-samples.ts';

const { bindings: MOST_BINDINGS, keys: MOST_KEYS, bindingsTogether, keysTogether } = BOUNDS.identity;
const MATCH = { sub: 'system:serviceaccount:orders:api' };
/** A binding of one key takes at least its id and its places in a set and a map. */
const LEAST_BYTES_OF_KEY = 100;

let f: Fixture;
let memory: MapCache<BoundIdentities>;
let ring: IdentityRing;
beforeEach(async () => {
  f = await makeFixture();
  memory = new MapCache();
  ring = new IdentityRing(f.store, f.kms.hierarchy, { feed: f.store.changes, memory }, f.kms.clock);
});

const resolve = (named?: string, claims = proven()): Promise<Identity> => promised(() => ring.find(claims, named));
const newKeys = (count: number) => Array.from({ length: count }, () => newId());

type Change = Partial<IdentityBindingRecord>;

/** Bindings for the same subject; `forged` is what somebody changed in them afterwards. */
async function bind(tenantId: TenantId, changes: readonly Change[], forged: Change = {}): Promise<void> {
  const authority = new IdentityAuthority(await f.kms.hierarchy.masterKeys(tenantId));
  await f.store.transact({ kind: 'tenant', tenantId }, async (unit) => {
    for (const change of changes) {
      const record = authority.signBinding({
        bindingId: newId(),
        tenantId,
        issuer: ISSUER,
        match: MATCH,
        foundBy: foundByMatch(ISSUER, MATCH),
        role: 'key_user',
        permissions: [],
        keys: null,
        createdAt: unit.now,
        createdBy: 'test',
        expiresAt: null,
        removedAt: null,
        fields: {},
        ...change,
      });
      await unit.identities.insert({ ...record, ...forged });
    }
  });
}

const times = (count: number, make: () => Change = () => ({})) => Array.from({ length: count }, make);

describe('what the bindings of a tenant give one credential', () => {
  test('is bounded in bindings: one more, and the tenant does not let it in until one has ended', async () => {
    const ends = new Date(f.kms.clock() + 60_000);
    await bind(f.tenantId, times(bindingsTogether));
    await resolve(f.tenantId);
    await resolve();
    await bind(f.tenantId, [{ expiresAt: ends }]);
    const claims = proven();
    for (const named of [f.tenantId, undefined])
      await expect(resolve(named, claims)).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
    f.advance(61_000);
    expect(await resolve(undefined, claims)).toMatchObject({ tenantId: f.tenantId });
  });

  test('is bounded in keys, in sum', async () => {
    await bind(
      f.tenantId,
      times(keysTogether / MOST_KEYS, () => ({ keys: newKeys(MOST_KEYS) })),
    );
    expect((await resolve()).keys?.size).toBe(keysTogether);
    await bind(f.tenantId, [{ keys: newKeys(1) }]);
    await expect(resolve()).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  });

  test('keeps nobody out of another tenant when it is too much', async () => {
    const other = newId();
    await addTenant(f.kms, other);
    await bind(other, times(bindingsTogether + 1));
    await bind(f.tenantId, [{}]);
    expect(await resolve()).toMatchObject({ tenantId: f.tenantId });
  });

  test('is not used up by records that somebody forged', async () => {
    await bind(f.tenantId, [{}]);
    await bind(f.tenantId, times(bindingsTogether + 1), { createdBy: 'another' });
    expect(await resolve()).toMatchObject({ tenantId: f.tenantId });
  });

  test('is counted in memory with every key that it names', async () => {
    await bind(f.tenantId, [
      ...times(8, () => ({ keys: newKeys(MOST_KEYS) })),
      { role: null, permissions: ['kms:encrypt'], keys: newKeys(1) },
    ]);
    const { keys, onKeys } = await resolve();
    expect(onKeys?.size).toBe(keys?.size);
    expect(memory.bytes).toBeGreaterThan(2 * LEAST_BYTES_OF_KEY * 8 * MOST_KEYS);
  });

  test('is what each of them gives, with one set for all keys that have the same', () => {
    const [own, shared, third] = newKeys(3) as [string, string, string];
    const base = { role: null, permissions: [], createdBy: newId(), expiresAt: null, fields: {} };
    const identity = unitedIdentity(proven(), newId(), [
      { ...base, permissions: ['kms:encrypt', 'kms:decrypt'], keys: [own, third] },
      { ...base, permissions: ['kms:encrypt'], keys: [shared, own] },
      { ...base, role: 'key_user', keys: [shared] },
      { ...base, permissions: ['kms:tokens:manage'], keys: [own, third] },
    ]);
    const ofUser = [...effectivePermissions('key_user', [])].filter((permission) => !BEYOND_KEYS.has(permission));
    expect(identity.permissions).toEqual(new Set(['kms:encrypt', 'kms:decrypt']));
    expect(identity.keys).toEqual(new Set([own, third, shared]));
    expect(identity.onKeys?.get(own)).toBe(identity.onKeys?.get(third));
    expect(identity.onKeys?.get(own)).toEqual(new Set(['kms:encrypt', 'kms:decrypt']));
    expect(identity.onKeys?.get(shared)).toEqual(new Set(ofUser));
  });
});

test('a call that names its tenant is let in by a binding, however many others are read beside it', async () => {
  await bind(f.tenantId, [{}]);
  await bind(f.tenantId, times(MOST_BINDINGS), { createdBy: 'another' });
  expect(await resolve(f.tenantId)).toMatchObject({ tenantId: f.tenantId });
  // Those that are not read may be of any tenant.
  await expect(resolve()).rejects.toMatchObject({ code: 'TENANT_MISMATCH' });
});
