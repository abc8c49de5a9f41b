import assert from 'node:assert/strict';
import { newId, type KeyId } from '../model/identifiers.ts';
import type { Store, VersionUse } from '../ports/store.ts';
import type { Rules } from './contract.ts';
import { asTenant, insertKey, newTenant, rotated, sampleKey, SYSTEM } from './store-samples.ts';

const EARLY = new Date('2026-03-01T10:00:00.000Z');
const LATE = new Date('2026-03-01T11:00:00.000Z');

/** What a store owes of what is written down of the uses of keys. */
export function keyUseRules({ it }: Rules, store: () => Store): void {
  const write = (...uses: readonly VersionUse[]) => store().transact(SYSTEM, (unit) => unit.keys.recordUses(uses));
  const read = async (tenantId: string, keyIds: readonly KeyId[]) =>
    (await asTenant(store(), tenantId, (unit) => unit.keys.lastUses(keyIds))).versions;
  const used = (keyId: KeyId, version: number, protectedAt: Date | null, processedAt: Date | null): VersionUse => ({
    keyId,
    version,
    protectedAt,
    processedAt,
  });

  it('writes down the last use of each version in each direction, which never goes back', async () => {
    const tenantId = await newTenant(store());
    const key = await insertKey(store(), sampleKey(tenantId));
    await asTenant(store(), tenantId, (unit) => unit.keys.update(rotated(key), 1));
    const { keyId } = key;
    assert.deepEqual(await read(tenantId, [keyId]), []);
    await write(used(keyId, 2, EARLY, null), used(keyId, 1, null, EARLY));
    assert.deepEqual(await read(tenantId, [keyId]), [used(keyId, 1, null, EARLY), used(keyId, 2, EARLY, null)]);
    await write(used(keyId, 1, EARLY, null), used(keyId, 2, LATE, EARLY));
    assert.deepEqual(await read(tenantId, [keyId]), [used(keyId, 1, EARLY, EARLY), used(keyId, 2, LATE, EARLY)]);
    await write(used(keyId, 1, null, LATE), used(keyId, 2, EARLY, LATE));
    assert.deepEqual(await read(tenantId, [keyId]), [used(keyId, 1, EARLY, LATE), used(keyId, 2, LATE, LATE)]);
    await write(used(keyId, 1, EARLY, EARLY), used(keyId, 2, EARLY, null));
    assert.deepEqual(await read(tenantId, [keyId]), [used(keyId, 1, EARLY, LATE), used(keyId, 2, LATE, LATE)]);
    await write();
    assert.deepEqual(await read(tenantId, []), []);
  });

  it('passes over uses of versions that are not there', async () => {
    const tenantId = await newTenant(store());
    const { keyId } = await insertKey(store(), sampleKey(tenantId));
    await write(used(newId(), 1, EARLY, null), used(keyId, 2, EARLY, null), used(keyId, 1, EARLY, null));
    assert.deepEqual(await read(tenantId, [keyId]), [used(keyId, 1, EARLY, null)]);
  });

  it('shows the uses of the keys that are asked for, and none of another tenant', async () => {
    const [tenantId, other] = [await newTenant(store()), await newTenant(store())];
    const keys = [
      await insertKey(store(), sampleKey(tenantId)),
      await insertKey(store(), sampleKey(tenantId)),
      await insertKey(store(), sampleKey(other)),
    ];
    const uses = keys.map(({ keyId }) => used(keyId, 1, EARLY, LATE));
    await write(...uses);
    const ids = keys.map(({ keyId }) => keyId);
    const found = async (asked: readonly KeyId[]) => new Set((await read(tenantId, asked)).map(({ keyId }) => keyId));
    assert.deepEqual(await found(ids), new Set(ids.slice(0, 2)));
    assert.deepEqual(await found(ids.slice(1)), new Set(ids.slice(1, 2)));
    const all = await store().transact(SYSTEM, (unit) => unit.keys.lastUses(ids));
    assert.deepEqual(new Set(all.versions.map(({ keyId }) => keyId)), new Set(ids));
    assert.ok(all.since.getTime() <= Date.now());
  });

  it('lets only the service itself write them down', async () => {
    const tenantId = await newTenant(store());
    const { keyId } = await insertKey(store(), sampleKey(tenantId));
    const attempt = asTenant(store(), tenantId, (unit) => unit.keys.recordUses([used(keyId, 1, EARLY, null)]));
    await assert.rejects(attempt, { code: 'INTERNAL_ERROR' });
    assert.deepEqual(await read(tenantId, [keyId]), []);
  });
}
