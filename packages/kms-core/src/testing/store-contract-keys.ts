import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { sortedJson } from '../encoding/sorted-json.ts';
import { newId } from '../model/identifiers.ts';
import type { KeyRecord, KeyVersionRecord } from '../model/key.ts';
import { OPERATIONS } from '../operations/catalog.ts';
import type { RecordFields } from '../model/record-fields.ts';
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
  sampleMac,
  sampleVersion,
  SYSTEM,
  someBytes,
} from './store-samples.ts';

/** Optional fields as a newer release may write them. */
const FIELDS: RecordFields = JSON.parse(
  '{"text":"ü \\\\ \\"","!critical":true,"__proto__":"own","nothing":null,"10":"ten","list":[{"b":1,"a":[]},0.1,5e-324]}',
) as RecordFields;

/** Keys that between them use every field and every kind of material. */
function variedKeys(tenantId: string): KeyRecord[] {
  const parent = sampleKey(tenantId, { name: 'parent' });
  const full = sampleKey(tenantId, {
    name: 'payments ✓ "quoted" \\ {a,b}',
    algorithm: 'ml-dsa-65',
    purpose: 'signing',
    protectionLevel: 'hsm',
    state: 'deactivated',
    stateBeforeDestroy: 'suspended',
    currentVersion: 3,
    versions: [
      sampleVersion(1, { state: 'destroyed', material: { kind: 'none' }, publicKey: someBytes(44) }),
      sampleVersion(2, {
        state: 'decrypt-only',
        origin: 'imported',
        createdAt: new Date('2026-03-01T10:00:00.999Z'),
        fields: { validTo: 7, ...FIELDS },
      }),
      sampleVersion(3, {
        algorithm: 'ml-dsa-65',
        provider: 'hsm-a',
        material: { kind: 'resident', handle: someBytes(20) },
        publicKey: someBytes(1952),
      }),
    ],
    rotation: {
      periodSeconds: 86_400,
      auto: true,
      retainVersions: 2,
      nextRotationAt: new Date('2031-12-31T23:59:59.999Z'),
    },
    usageLimits: { maxOperations: Number.MAX_SAFE_INTEGER, expiresAt: new Date('9999-12-31T23:59:59.999Z') },
    policy: {
      version: '1',
      statements: [
        { effect: 'deny', actions: ['kms:*'], resources: ['*'], conditions: { ip: ['10.0.0.0/8'], mfa: true } },
        { effect: 'allow', actions: [OPERATIONS.sign.permission], resources: ['*'], principals: ['svc', 'Ünïcode'] },
      ],
    },
    // A member named __proto__ is data like any other.
    metadata: JSON.parse(
      '{"zone":"eu","__proto__":"own","a":"","10":"ten","9":"nine","n":[0.1,5e-324,9007199254740991,-1.5,true,null,{"b":{"a":[]}}]}',
    ),
    parentKeyId: parent.keyId,
    revision: 7,
    createdAt: new Date('1999-12-31T23:59:59.998Z'),
    updatedAt: new Date('2026-10-25T00:30:00.123Z'),
    destroyAt: new Date('2026-11-01T02:30:00.000Z'),
    fields: FIELDS,
    mac: sampleMac({ format: 2, tmkVersion: 12 }),
  });
  const revoked = sampleKey(tenantId, {
    state: 'revoked',
    revocation: { reason: 'suspected_compromise', at: new Date('2026-03-02T00:00:00.007Z') },
  });
  return [parent, full, revoked, destroyed(sampleKey(tenantId))];
}

export function keyRules({ it }: Rules, store: () => Store): void {
  it('gives back every field of a key exactly, by each way of reading', async () => {
    const tenantId = await newTenant(store());
    const keys = variedKeys(tenantId);
    for (const key of keys) await insertKey(store(), key);
    for (const key of keys) {
      const { locked, unlocked } = await asTenant(store(), tenantId, async (unit) => ({
        locked: await unit.keys.get(key.keyId, { lock: true }),
        unlocked: await unit.keys.get(key.keyId),
      }));
      const listed = await asTenant(store(), tenantId, (unit) => unit.keys.list({ limit: 200, after: null }));
      const found = [
        await store().readKey(tenantId, key.keyId),
        locked,
        unlocked,
        listed.items.find((item) => item.keyId === key.keyId),
      ];
      for (const read of found) {
        assert.deepEqual(comparable(read), comparable(key));
        assert.equal(sortedJson(read?.policy), sortedJson(key.policy));
        assert.equal(sortedJson(read?.metadata), sortedJson(key.metadata));
      }
    }
  });

  it('keeps its own copy of what it was given and of what it gives', async () => {
    const tenantId = await newTenant(store());
    const sealed = someBytes(60);
    const key = sampleKey(tenantId, {
      versions: [sampleVersion(1, { material: { kind: 'sealed', tmkVersion: 1, sealed } })],
    });
    const before = comparable(key);
    await insertKey(store(), key);
    sealed.fill(0);
    const read = await store().readKey(tenantId, key.keyId);
    assert.deepEqual(comparable(read), before);
    read?.mac.tag.fill(0);
    assert.deepEqual(await store().readKey(tenantId, key.keyId).then(comparable), before);
  });

  it('answers a key as it is stored, whatever was seen of it before', async () => {
    const [tenantId, otherTenant] = [await newTenant(store()), await newTenant(store())];
    const first = await insertKey(store(), sampleKey(tenantId));
    const lock = (inTenant: string, seen: KeyRecord) =>
      asTenant(store(), inTenant, (unit) => unit.keys.get(seen.keyId, { lock: true, seen }));
    assert.deepEqual(comparable(await lock(tenantId, first)), comparable(first));
    assert.equal(await lock(otherTenant, first), undefined);
    const second = rotated(first);
    await asTenant(store(), tenantId, (unit) => unit.keys.update(second, 1));
    const sameRevision = { ...second, name: 'never stored', mac: sampleMac() };
    const neverStored = sampleKey(tenantId);
    for (const seen of [first, sameRevision, second])
      assert.deepEqual(comparable(await lock(tenantId, seen)), comparable(second));
    assert.equal(await lock(tenantId, neverStored), undefined);
    const seen = await store().readKey(tenantId, first.keyId);
    const third = rotated(second);
    await asTenant(store(), tenantId, async (unit) => {
      const locked = await unit.keys.get(first.keyId, { lock: true, seen });
      await unit.keys.update(third, locked?.revision ?? 0);
    });
    assert.deepEqual(comparable(await store().readKey(tenantId, first.keyId)), comparable(third));
  });

  it('answers undefined for a key that does not exist', async () => {
    const tenantId = await newTenant(store());
    assert.equal(await store().readKey(tenantId, newId()), undefined);
    assert.equal(await asTenant(store(), tenantId, (unit) => unit.keys.get(newId())), undefined);
    assert.equal(await asTenant(store(), tenantId, (unit) => unit.keys.get(newId(), { lock: true })), undefined);
  });

  it('refuses an id that was ever used, by whomever', async () => {
    const [tenantId, otherTenant] = [await newTenant(store()), await newTenant(store())];
    const key = await insertKey(store(), sampleKey(tenantId));
    await asTenant(store(), tenantId, (unit) => unit.keys.update(destroyed(key), 1));
    await assert.rejects(insertKey(store(), sampleKey(tenantId, { keyId: key.keyId })), {
      code: 'CONFLICT',
    });
    const foreign = insertKey(store(), sampleKey(otherTenant, { keyId: key.keyId }));
    await assert.rejects(foreign, { code: 'CONFLICT' });
    assertMembers(await store().readKey(tenantId, key.keyId), { state: 'destroyed', tenantId });
  });

  it('updates every field that may change', async () => {
    const tenantId = await newTenant(store());
    const [parent, full] = variedKeys(tenantId);
    if (parent === undefined || full === undefined) throw new Error('no samples');
    await insertKey(store(), parent);
    const key = await insertKey(store(), sampleKey(tenantId));
    const changed: KeyRecord = {
      ...full,
      keyId: key.keyId,
      createdAt: key.createdAt,
      revision: 2,
      currentVersion: 2,
      versions: [
        { ...sampleVersion(1), ...key.versions[0], state: 'destroyed', material: { kind: 'none' } },
        sampleVersion(2, { publicKey: someBytes(91) }),
      ],
    };
    await asTenant(store(), tenantId, (unit) => unit.keys.update(changed, 1));
    assert.deepEqual(await store().readKey(tenantId, key.keyId).then(comparable), comparable(changed));
    const cleared = sampleKey(tenantId, { ...key, currentVersion: 2, versions: changed.versions, revision: 3 });
    await asTenant(store(), tenantId, (unit) => unit.keys.update(cleared, 2));
    assert.deepEqual(await store().readKey(tenantId, key.keyId).then(comparable), comparable(cleared));
  });

  it('rotates, retires and destroys versions through updates', async () => {
    const tenantId = await newTenant(store());
    const created = await insertKey(store(), sampleKey(tenantId));
    // With one version retained, the superseded one goes from active to deactivated in one update.
    const afterRotation = rotated(created);
    const retired = { ...afterRotation, versions: afterRotation.versions.map(retire) };
    const steps = [retired, rotated(retired), destroyed(rotated(retired))];
    for (const step of steps) {
      await asTenant(store(), tenantId, (unit) => unit.keys.update(step, step.revision - 1));
      assert.deepEqual(await store().readKey(tenantId, step.keyId).then(comparable), comparable(step));
    }
    assert.deepEqual(
      steps[1]?.versions.map((version) => version.state),
      ['deactivated', 'decrypt-only', 'active'],
    );
  });

  it('updates a key twice in one unit', async () => {
    const tenantId = await newTenant(store());
    const key = await insertKey(store(), sampleKey(tenantId));
    const once = rotated(key);
    const twice = rotated(once);
    await asTenant(store(), tenantId, async (unit) => {
      await unit.keys.get(key.keyId, { lock: true });
      await unit.keys.update(once, 1);
      await unit.keys.update(twice, 2);
    });
    assert.deepEqual(await store().readKey(tenantId, key.keyId).then(comparable), comparable(twice));
  });

  it('refuses an update from another revision and changes nothing', async () => {
    const tenantId = await newTenant(store());
    const key = await insertKey(store(), sampleKey(tenantId));
    await asTenant(store(), tenantId, (unit) => unit.keys.update(rotated(key), 1));
    const current = comparable(await store().readKey(tenantId, key.keyId));
    const stale = { ...rotated(key), name: 'stale' };
    const fromStale = asTenant(store(), tenantId, (unit) => unit.keys.update(stale, 1));
    await assert.rejects(fromStale, { code: 'CONFLICT' });
    const unknown = sampleKey(tenantId, { revision: 2 });
    const ofUnknown = asTenant(store(), tenantId, (unit) => unit.keys.update(unknown, 1));
    await assert.rejects(ofUnknown, { code: 'CONFLICT' });
    assert.deepEqual(await store().readKey(tenantId, key.keyId).then(comparable), current);
  });

  it('lets a lock serialise changes: each unit sees what the one before it wrote', async () => {
    const tenantId = await newTenant(store());
    const key = await insertKey(store(), sampleKey(tenantId));
    const changes = Array.from({ length: 8 }, () =>
      asTenant(store(), tenantId, async (unit) => {
        const current = await unit.keys.get(key.keyId, { lock: true });
        if (current === undefined) throw new Error('the key is gone');
        assert.equal(current.versions.length, current.revision);
        await nextTurn();
        await unit.keys.update(rotated(current), current.revision);
      }),
    );
    await Promise.all(changes);
    const last = await store().readKey(tenantId, key.keyId);
    assertMembers(last, { revision: 9, currentVersion: 9 });
    assert.deepEqual(
      last?.versions.map((version) => version.version),
      [1, 2, 3, 4, 5, 6, 7, 8, 9],
    );
  });

  it('answers one consistent revision to whoever reads during changes', async () => {
    const tenantId = await newTenant(store());
    let key = await insertKey(store(), sampleKey(tenantId));
    const torn: (KeyRecord | undefined)[] = [];
    let reading = true;
    const reader = (async () => {
      while (reading) {
        const seen = await store().readKey(tenantId, key.keyId);
        if (seen?.revision !== seen?.versions.length) torn.push(seen);
        await nextTurn();
      }
    })();
    for (let round = 0; round < 20; round += 1) {
      const next = rotated(key);
      await asTenant(store(), tenantId, (unit) => unit.keys.update(next, key.revision));
      key = next;
    }
    reading = false;
    await reader;
    assert.deepEqual(torn, []);
  });

  it('reads and changes any key in the system scope', async () => {
    const tenantId = await newTenant(store());
    const key = await insertKey(store(), sampleKey(tenantId));
    await store().transact(SYSTEM, async (unit) => {
      const seen = await unit.keys.get(key.keyId, { lock: true });
      assert.deepEqual(comparable(seen), comparable(key));
      await unit.keys.update(nextRevision(key, { name: 'by the service' }), 1);
    });
    assertMembers(await store().readKey(tenantId, key.keyId), { name: 'by the service', revision: 2 });
  });
}

function retire(version: KeyVersionRecord): KeyVersionRecord {
  return version.state === 'decrypt-only' ? { ...version, state: 'deactivated' } : version;
}
