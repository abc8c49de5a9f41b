import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { KeyRecord } from '../model/key.ts';
import type { Store } from '../ports/store.ts';
import type { Rules } from './contract.ts';
import {
  asTenant,
  comparable,
  insertKey,
  newTenant,
  nextRevision,
  sampleKey,
  shreddedTenant,
  SYSTEM,
} from './store-samples.ts';

const LONG_AGO = new Date('2020-01-01T00:00:00.000Z');
const FAR_AHEAD = new Date('2999-01-01T00:00:00.000Z');
/** More than the tests of one store leave due. */
const ALL = 1000;

function rotating(tenantId: string, nextRotationAt: Date, change: Partial<KeyRecord> = {}): KeyRecord {
  const rotation = { periodSeconds: 3600, auto: true, retainVersions: null, nextRotationAt };
  return sampleKey(tenantId, { rotation, ...change });
}

function dying(tenantId: string, destroyAt: Date): KeyRecord {
  return sampleKey(tenantId, { state: 'deactivated', stateBeforeDestroy: 'active', destroyAt });
}

export function scheduleRules({ it }: Rules, store: () => Store): void {
  const due = async (what: 'rotation' | 'destruction', tenantId: string): Promise<KeyRecord[]> => {
    const locked = await store().transact(SYSTEM, (unit) => unit.keys.lockDue(what, ALL));
    return locked.filter((key) => key.tenantId === tenantId);
  };

  it('finds the keys of every tenant whose rotation is due, and no others', async () => {
    const tenantId = await newTenant(store());
    const expected = await insertKey(store(), rotating(tenantId, LONG_AGO));
    await insertKey(store(), rotating(tenantId, FAR_AHEAD));
    await insertKey(store(), rotating(tenantId, LONG_AGO, { state: 'suspended' }));
    await insertKey(
      store(),
      rotating(tenantId, LONG_AGO, {
        rotation: { periodSeconds: 3600, auto: false, retainVersions: null, nextRotationAt: LONG_AGO },
      }),
    );
    await insertKey(store(), dying(tenantId, LONG_AGO));
    assert.deepEqual(comparable(await due('rotation', tenantId)), [comparable(expected)]);
  });

  it('finds the keys whose destruction is due, revoked ones too, and no others', async () => {
    const tenantId = await newTenant(store());
    const deactivated = await insertKey(store(), dying(tenantId, LONG_AGO));
    const revocation = { reason: 'end_of_life', at: LONG_AGO } as const;
    const revoked = await insertKey(
      store(),
      sampleKey(tenantId, { state: 'revoked', revocation, destroyAt: LONG_AGO }),
    );
    await insertKey(store(), sampleKey(tenantId, { state: 'revoked', revocation }));
    await insertKey(store(), dying(tenantId, FAR_AHEAD));
    const gone = sampleKey(tenantId, { state: 'destroyed', destroyAt: LONG_AGO });
    const versions = gone.versions.map(
      (version) => ({ ...version, state: 'destroyed', material: { kind: 'none' } }) as const,
    );
    await insertKey(store(), { ...gone, versions });
    const found = await due('destruction', tenantId);
    assert.deepEqual(found.map((key) => key.keyId).sort(), [deactivated.keyId, revoked.keyId].sort());
  });

  it('counts a key as due from the very instant on, by the clock of the unit', async () => {
    const tenantId = await newTenant(store());
    const key = await insertKey(store(), rotating(tenantId, FAR_AHEAD));
    await store().transact(SYSTEM, async (unit) => {
      const rotation = { ...key.rotation, nextRotationAt: unit.now };
      await unit.keys.update(nextRevision(key, { rotation }), 1);
      const locked = await unit.keys.lockDue('rotation', ALL);
      assert.ok(locked.map((each) => each.keyId).includes(key.keyId));
    });
  });

  it('locks no more than the limit, the longest due first', async () => {
    const tenantId = await newTenant(store());
    const instants = ['1970-01-03', '1970-01-01', '1970-01-02'].map((day) => new Date(`${day}T00:00:00.000Z`));
    for (const instant of instants) await insertKey(store(), dying(tenantId, instant));
    const locked = await store().transact(SYSTEM, (unit) => unit.keys.lockDue('destruction', 2));
    assert.deepEqual(
      locked.map((key) => key.destroyAt?.toISOString().slice(0, 10)),
      ['1970-01-01', '1970-01-02'],
    );
  });

  it('goes on behind a key, also among keys that are due at the same instant', async () => {
    const tenantId = await newTenant(store());
    const instants = [LONG_AGO, LONG_AGO, LONG_AGO, new Date(LONG_AGO.getTime() + 1)];
    for (const instant of instants) await insertKey(store(), rotating(tenantId, instant));
    const all = await due('rotation', tenantId);
    assert.equal(all.length, 4);
    for (const [index, key] of all.entries()) {
      const after = { at: key.rotation.nextRotationAt ?? LONG_AGO, keyId: key.keyId };
      const rest = await store().transact(SYSTEM, (unit) => unit.keys.lockDue('rotation', ALL, after));
      const mine = rest.filter((other) => other.tenantId === tenantId);
      assert.deepEqual(
        mine.map((other) => other.keyId),
        all.slice(index + 1).map((other) => other.keyId),
      );
    }
  });

  it('gives a due key to one of two units that look at the same time', async () => {
    const tenantId = await newTenant(store());
    for (let index = 0; index < 6; index += 1) await insertKey(store(), rotating(tenantId, LONG_AGO));
    let second: Promise<KeyRecord[]> | undefined;
    const first = await store().transact(SYSTEM, async (unit) => {
      const mine = (await unit.keys.lockDue('rotation', ALL)).filter((key) => key.tenantId === tenantId);
      second = due('rotation', tenantId);
      // A store that runs units one after another starts the second only when this one has ended.
      await Promise.race([second, sleep(100)]);
      for (const key of mine) {
        await unit.keys.update(nextRevision(key, { rotation: { ...key.rotation, nextRotationAt: FAR_AHEAD } }), 1);
      }
      return mine;
    });
    assert.equal(first.length, 6);
    assert.deepEqual(await second, []);
  });

  it('leaves the keys of a shredded tenant alone', async () => {
    const tenantId = await newTenant(store());
    await insertKey(store(), rotating(tenantId, LONG_AGO));
    await insertKey(store(), dying(tenantId, LONG_AGO));
    assert.equal((await due('rotation', tenantId)).length, 1);
    await store().transact(SYSTEM, (unit) => unit.tenants.shred(shreddedTenant(tenantId)));
    assert.deepEqual(await due('rotation', tenantId), []);
    assert.deepEqual(await due('destruction', tenantId), []);
  });

  it('locks due keys only in the system scope', async () => {
    const tenantId = await newTenant(store());
    const attempt = asTenant(store(), tenantId, (unit) => unit.keys.lockDue('rotation', 1));
    await assert.rejects(attempt, { code: 'INTERNAL_ERROR' });
  });

  it("lists the tenant's scheduled rotations, the next due first", async () => {
    const tenantId = await newTenant(store());
    const days = ['2031-01-03', '2031-01-01', '2031-01-02'];
    for (const day of days) await insertKey(store(), rotating(tenantId, new Date(`${day}T00:00:00.000Z`)));
    await insertKey(store(), rotating(tenantId, LONG_AGO, { state: 'suspended' }));
    await insertKey(store(), sampleKey(tenantId));
    const list = async (limit: number, before: Date | null): Promise<(string | undefined)[]> => {
      const keys = await asTenant(store(), tenantId, (unit) => unit.keys.scheduledRotations(limit, before));
      return keys.map((key) => key.rotation.nextRotationAt?.toISOString().slice(0, 10));
    };
    assert.deepEqual(await list(10, null), ['2031-01-01', '2031-01-02', '2031-01-03']);
    assert.deepEqual(await list(2, null), ['2031-01-01', '2031-01-02']);
    assert.deepEqual(await list(10, new Date('2031-01-03T00:00:00.000Z')), ['2031-01-01', '2031-01-02']);
  });
}
