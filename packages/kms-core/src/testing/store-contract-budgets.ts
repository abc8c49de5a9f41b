import assert from 'node:assert/strict';
import { newId } from '../model/identifiers.ts';
import type { OperationLease, Store } from '../ports/store.ts';
import type { Rules } from './contract.ts';
import { asTenant, insertKey, newTenant, rotated, sampleKey } from './store-samples.ts';

export function budgetRules({ it }: Rules, store: () => Store): void {
  const lease = (tenantId: string, wanted: OperationLease): Promise<number> =>
    asTenant(store(), tenantId, (unit) => unit.keys.leaseOperations(wanted));

  it('grants what remains of a budget and then nothing', async () => {
    const tenantId = await newTenant(store());
    const { keyId } = await insertKey(store(), sampleKey(tenantId));
    const grants = [];
    for (let round = 0; round < 4; round += 1)
      grants.push(await lease(tenantId, { keyId, version: 0, budget: 10, count: 4 }));
    assert.deepEqual(grants, [4, 4, 2, 0]);
  });

  it('grants less than was asked for from the first lease on', async () => {
    const tenantId = await newTenant(store());
    const { keyId } = await insertKey(store(), sampleKey(tenantId));
    assert.equal(await lease(tenantId, { keyId, version: 1, budget: 3, count: 100 }), 3);
  });

  it('counts for no version that the key does not have', async () => {
    const tenantId = await newTenant(store());
    const { keyId } = await insertKey(store(), sampleKey(tenantId));
    const attempt = lease(tenantId, { keyId, version: 2, budget: 10, count: 4 });
    await assert.rejects(attempt, { code: 'INTERNAL_ERROR' });
  });

  it('counts each version and the whole key apart', async () => {
    const tenantId = await newTenant(store());
    const key = await insertKey(store(), sampleKey(tenantId));
    await asTenant(store(), tenantId, (unit) => unit.keys.update(rotated(key), 1));
    const other = await insertKey(store(), sampleKey(tenantId));
    for (const version of [0, 1, 2]) {
      assert.equal(await lease(tenantId, { keyId: key.keyId, version, budget: 5, count: 5 }), 5);
    }
    assert.equal(await lease(tenantId, { keyId: other.keyId, version: 0, budget: 5, count: 5 }), 5);
    assert.equal(await lease(tenantId, { keyId: key.keyId, version: 1, budget: 5, count: 1 }), 0);
  });

  it('counts against a budget that was changed', async () => {
    const tenantId = await newTenant(store());
    const { keyId } = await insertKey(store(), sampleKey(tenantId));
    assert.equal(await lease(tenantId, { keyId, version: 0, budget: 10, count: 8 }), 8);
    assert.equal(await lease(tenantId, { keyId, version: 0, budget: 5, count: 8 }), 0);
    assert.equal(await lease(tenantId, { keyId, version: 0, budget: 12, count: 8 }), 4);
  });

  it('tells what was taken from the budgets of each key, and of no other', async () => {
    const tenantId = await newTenant(store());
    const key = await insertKey(store(), sampleKey(tenantId));
    const other = await insertKey(store(), sampleKey(tenantId));
    const unused = await insertKey(store(), sampleKey(tenantId));
    const unasked = await insertKey(store(), sampleKey(tenantId));
    await lease(tenantId, { keyId: key.keyId, version: 0, budget: 10, count: 4 });
    await lease(tenantId, { keyId: key.keyId, version: 0, budget: 10, count: 5 });
    await lease(tenantId, { keyId: key.keyId, version: 1, budget: 10, count: 3 });
    await lease(tenantId, { keyId: other.keyId, version: 1, budget: 10, count: 2 });
    await lease(tenantId, { keyId: unasked.keyId, version: 1, budget: 10, count: 1 });
    const told = (tenant: string) =>
      asTenant(store(), tenant, async (unit) => {
        const leased = await unit.keys.leasedOperations([key.keyId, other.keyId, unused.keyId]);
        return [...leased].map(([keyId, counters]) => [keyId, [...counters].sort(([a], [b]) => a - b)] as const);
      });
    const sorted = (await told(tenantId)).sort(([a]) => (a === key.keyId ? -1 : 1));
    assert.deepEqual(sorted, [
      [
        key.keyId,
        [
          [0, 9],
          [1, 3],
        ],
      ],
      [other.keyId, [[1, 2]]],
    ]);
    assert.deepEqual(await told(await newTenant(store())), []);
  });

  it('counts up to 2^53 - 1', async () => {
    const tenantId = await newTenant(store());
    const { keyId } = await insertKey(store(), sampleKey(tenantId));
    const budget = Number.MAX_SAFE_INTEGER;
    assert.equal(await lease(tenantId, { keyId, version: 0, budget, count: budget - 1 }), budget - 1);
    assert.equal(await lease(tenantId, { keyId, version: 0, budget, count: budget }), 1);
    assert.equal(await lease(tenantId, { keyId, version: 0, budget, count: 1 }), 0);
  });

  it('grants each operation of a budget once, however many draw from it', async () => {
    const tenantId = await newTenant(store());
    const { keyId } = await insertKey(store(), sampleKey(tenantId));
    const draws = Array.from({ length: 30 }, () => lease(tenantId, { keyId, version: 0, budget: 100, count: 7 }));
    const granted = await Promise.all(draws);
    assert.equal(
      granted.reduce((sum, each) => sum + each, 0),
      100,
    );
    assert.equal(Math.max(...granted), 7);
  });

  it('grants nothing for a key that does not exist', async () => {
    const tenantId = await newTenant(store());
    assert.equal(await lease(tenantId, { keyId: newId(), version: 0, budget: 10, count: 1 }), 0);
  });
}
