import assert from 'node:assert/strict';
import { newId } from '../model/identifiers.ts';
import type { KeyRecord, KeyVersionRecord } from '../model/key.ts';
import type { Store } from '../ports/store.ts';
import { assertMembers } from './assert-members.ts';
import type { Rules } from './contract.ts';
import {
  asTenant,
  comparable,
  destroyed,
  insertKey,
  newTenant,
  nextRevision,
  rotated,
  sampleKey,
  sampleVersion,
  someBytes,
} from './store-samples.ts';

/** Records that no operation makes. A store that takes one lets a fault spread. */
function brokenKeys(tenantId: string): Record<string, KeyRecord> {
  return {
    'two active versions': sampleKey(tenantId, { currentVersion: 2, versions: [sampleVersion(1), sampleVersion(2)] }),
    'a gap in its versions': sampleKey(tenantId, {
      currentVersion: 3,
      versions: [sampleVersion(1, { state: 'decrypt-only' }), sampleVersion(3)],
    }),
    'a version 0': sampleKey(tenantId, { currentVersion: 0, versions: [sampleVersion(0)] }),
    'a current version that does not exist': sampleKey(tenantId, { currentVersion: 2 }),
    'a current version that is not the active one': sampleKey(tenantId, {
      versions: [sampleVersion(1, { state: 'decrypt-only' }), sampleVersion(2)],
    }),
    'no active version': sampleKey(tenantId, { versions: [sampleVersion(1, { state: 'deactivated' })] }),
    'a version that is not destroyed though it is': sampleKey(tenantId, {
      state: 'destroyed',
      versions: [sampleVersion(1, { state: 'deactivated', material: { kind: 'none' } })],
    }),
    'rotation by itself, but no date': sampleKey(tenantId, {
      rotation: { periodSeconds: 3600, auto: true, retainVersions: null, nextRotationAt: null },
    }),
    'a limit below nothing': sampleKey(tenantId, { usageLimits: { maxOperations: -1, expiresAt: null } }),
    'material in a destroyed version': sampleKey(tenantId, { versions: [sampleVersion(1, { state: 'destroyed' })] }),
    'material though it is destroyed': sampleKey(tenantId, { state: 'destroyed' }),
    'a revocation without reason': sampleKey(tenantId, { state: 'revoked' }),
    'a scheduled destruction without date': sampleKey(tenantId, { state: 'deactivated', stateBeforeDestroy: 'active' }),
    'no state to return to': sampleKey(tenantId, { state: 'deactivated', destroyAt: new Date() }),
    'a parent that does not exist': sampleKey(tenantId, { parentKeyId: newId() }),
    'a revision 0': sampleKey(tenantId, { revision: 0 }),
  };
}

/** Updates that rewrite what never changes. */
function brokenChanges(key: KeyRecord): Record<string, KeyRecord> {
  const [first, second] = key.versions;
  if (first === undefined || second === undefined) throw new Error('two versions are needed');
  const withFirst = (change: Partial<KeyVersionRecord>): KeyRecord =>
    nextRevision(key, { versions: [{ ...first, ...change }, second] });
  return {
    'other material': withFirst({ material: { kind: 'sealed', tmkVersion: 1, sealed: someBytes(60) } }),
    'another master key version': withFirst({
      material: first.material.kind === 'sealed' ? { ...first.material, tmkVersion: 2 } : first.material,
    }),
    'another kind of material': withFirst({ material: { kind: 'resident', handle: someBytes(8) } }),
    'another public key': withFirst({ publicKey: someBytes(44) }),
    'another algorithm': withFirst({ algorithm: 'aes-128-gcm' }),
    'another origin': withFirst({ origin: 'imported' }),
    'another provider': withFirst({ provider: 'hsm-a' }),
    'another date of a version': withFirst({ createdAt: new Date(0) }),
    'a version that is active again': nextRevision(key, {
      versions: [
        { ...first, state: 'active' },
        { ...second, state: 'decrypt-only' },
      ],
    }),
    'a version less': nextRevision(key, { currentVersion: 1, versions: [first] }),
    'a version that skips a number': nextRevision(key, {
      versions: [first, { ...second, state: 'decrypt-only' }, sampleVersion(4)],
    }),
    'a current version that is not the active one': nextRevision(key, { currentVersion: 1 }),
    'a key without an active version': nextRevision(key, { versions: [first, { ...second, state: 'decrypt-only' }] }),
    'another date of creation': nextRevision(key, { createdAt: new Date(0) }),
    'a revision too far': { ...nextRevision(key), revision: key.revision + 2 },
    'the same revision': { ...nextRevision(key), revision: key.revision },
  };
}

export function invariantRules({ it }: Rules, store: () => Store): void {
  for (const fault of Object.keys(brokenKeys('')))
    it(`refuses a new key with ${fault}`, async () => {
      const tenantId = await newTenant(store());
      const key = brokenKeys(tenantId)[fault];
      if (key === undefined) throw new Error('no sample');
      await assert.rejects(insertKey(store(), key), { code: 'INTERNAL_ERROR' });
      assert.equal(await store().readKey(tenantId, key.keyId), undefined);
    });

  for (const fault of Object.keys(brokenChanges(rotated(sampleKey('')))))
    it(`refuses a change to ${fault}`, async () => {
      const tenantId = await newTenant(store());
      const created = await insertKey(store(), sampleKey(tenantId));
      const key = rotated(created);
      await asTenant(store(), tenantId, (unit) => unit.keys.update(key, 1));
      const broken = brokenChanges(key)[fault];
      if (broken === undefined) throw new Error('no sample');
      const attempt = asTenant(store(), tenantId, (unit) => unit.keys.update(broken, key.revision));
      await assert.rejects(attempt, { code: 'INTERNAL_ERROR' });
      assert.deepEqual(await store().readKey(tenantId, key.keyId).then(comparable), comparable(key));
    });

  it('does not bring a destroyed key back', async () => {
    const tenantId = await newTenant(store());
    const key = destroyed(await insertKey(store(), sampleKey(tenantId)));
    await asTenant(store(), tenantId, (unit) => unit.keys.update(key, 1));
    const revived = [
      nextRevision(key, { state: 'active' }),
      nextRevision(key, { currentVersion: 2, versions: [...key.versions, sampleVersion(2)] }),
    ];
    for (const attempt of revived) {
      const update = asTenant(store(), tenantId, (unit) => unit.keys.update(attempt, 2));
      await assert.rejects(update, { code: 'INTERNAL_ERROR' });
    }
    assert.deepEqual(await store().readKey(tenantId, key.keyId).then(comparable), comparable(key));
  });

  it('does not make a revoked key usable', async () => {
    const tenantId = await newTenant(store());
    const revocation = { reason: 'crypto_weakness', at: new Date('2026-03-02T00:00:00.000Z') } as const;
    const key = await insertKey(store(), sampleKey(tenantId, { state: 'revoked', revocation }));
    const revived = nextRevision(key, { state: 'active' });
    const attempt = asTenant(store(), tenantId, (unit) => unit.keys.update(revived, 1));
    await assert.rejects(attempt, { code: 'INTERNAL_ERROR' });
    assertMembers(await store().readKey(tenantId, key.keyId), { state: 'revoked', revision: 1 });
  });

  it('takes no key of a tenant that does not exist', async () => {
    const key = sampleKey(newId());
    await assert.rejects(insertKey(store(), key), { code: 'INTERNAL_ERROR' });
    assert.equal(await store().readKey(key.tenantId, key.keyId), undefined);
  });
}
