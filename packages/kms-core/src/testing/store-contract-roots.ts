import assert from 'node:assert/strict';
import { newId } from '../model/identifiers.ts';
import type { RootRecord } from '../model/tenant.ts';
import type { Store } from '../ports/store.ts';
import type { Rules } from './contract.ts';
import { asTenant, newTenant, SAMPLE_ROOT, sampleWrap, SYSTEM, useRoot } from './store-samples.ts';

export function rootRules({ it, before }: Rules, store: () => Store): void {
  before(() => useRoot(store()));

  const newRoot = async (): Promise<RootRecord> => {
    const root = { providerId: `root ${newId()}`, checkValue: 'c0ffee' };
    await useRoot(store(), root);
    return root;
  };
  const wrapUnder = (tenantId: string, { providerId, checkValue }: RootRecord, tmkVersion = 1) =>
    asTenant(store(), tenantId, (unit) =>
      unit.tenants.addMasterKeyWraps([sampleWrap(tenantId, { providerId, rootCheckValue: checkValue, tmkVersion })]),
    );
  const remove = (root: RootRecord) => store().transact(SYSTEM, (unit) => unit.tenants.removeRoot(root));
  const countOf = async (root: RootRecord) => {
    const { byRoot } = await store().transact(SYSTEM, (unit) => unit.tenants.countMasterKeys());
    return byRoot.find((each) => each.providerId === root.providerId)?.wraps;
  };

  it('refuses a wrap under a root that is not in use', async () => {
    const tenantId = await newTenant(store());
    for (const root of [
      { providerId: newId(), checkValue: SAMPLE_ROOT.checkValue },
      { ...SAMPLE_ROOT, checkValue: 'decaf' },
    ]) {
      await assert.rejects(wrapUnder(tenantId, root), { code: 'CONFLICT' });
    }
  });

  it('keeps two roots of one provider apart while it is rotated', async () => {
    const tenantId = await newTenant(store());
    const root = await newRoot();
    const next = { ...root, checkValue: 'decaf' };
    await useRoot(store(), next);
    await wrapUnder(tenantId, root);
    await wrapUnder(tenantId, next);
    await remove(root);
    const wraps = await asTenant(store(), tenantId, (unit) => unit.tenants.masterKeyWraps(tenantId));
    assert.deepEqual(
      wraps.map((wrap) => wrap.rootCheckValue),
      ['decaf'],
    );
  });

  it('names the master keys that a root does not wrap, and counts those that it does', async () => {
    const tenantId = await newTenant(store());
    const root = await newRoot();
    await wrapUnder(tenantId, SAMPLE_ROOT);
    await wrapUnder(tenantId, SAMPLE_ROOT, 2);
    await wrapUnder(tenantId, root, 2);
    const lacking = await store().transact(SYSTEM, (unit) => unit.tenants.masterKeysLacking(root, 10_000));
    assert.deepEqual(
      lacking.filter((name) => name.tenantId === tenantId),
      [{ tenantId, tmkVersion: 1 }],
    );
    assert.equal(await countOf(root), 1);
    assert.equal((await store().transact(SYSTEM, (unit) => unit.tenants.masterKeysLacking(root, 1))).length, 1);
    const { total } = await store().transact(SYSTEM, (unit) => unit.tenants.countMasterKeys());
    assert.ok(total >= 2);
  });

  it('removes a root with its wraps, but never the only wrap of a master key', async () => {
    const tenantId = await newTenant(store());
    const [one, other] = [await newRoot(), await newRoot()];
    await wrapUnder(tenantId, one);
    await assert.rejects(remove(one), { code: 'CONFLICT' });
    assert.equal(await countOf(one), 1);
    await wrapUnder(tenantId, other);
    await remove(one);
    assert.equal(await countOf(one), undefined);
    await assert.rejects(remove(one), { code: 'NOT_FOUND' });
    await assert.rejects(wrapUnder(tenantId, one), { code: 'CONFLICT' });
    await assert.rejects(remove(other), { code: 'CONFLICT' });
  });

  it('never lets two roots that count on each other go at once', async () => {
    const tenantId = await newTenant(store());
    const [one, other] = [await newRoot(), await newRoot()];
    await wrapUnder(tenantId, one);
    await wrapUnder(tenantId, other);
    const outcomes = await Promise.allSettled([remove(one), remove(other)]);
    assert.deepEqual(outcomes.map((outcome) => outcome.status).sort(), ['fulfilled', 'rejected']);
  });
}
