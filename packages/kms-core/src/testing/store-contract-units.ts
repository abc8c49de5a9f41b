import assert from 'node:assert/strict';
import { KmsError } from '../errors/kms-error.ts';
import type { Store, UnitOfWork } from '../ports/store.ts';
import { assertMembers } from './assert-members.ts';
import type { Rules } from './contract.ts';
import {
  asTenant,
  insertKey,
  newTenant,
  nextRevision,
  sampleKey,
  sampleToken,
  sampleVersion,
  scopeOf,
  someBytes,
} from './store-samples.ts';

export function unitRules({ it }: Rules, store: () => Store): void {
  it('answers what the work answers', async () => {
    const tenantId = await newTenant(store());
    assert.equal(await asTenant(store(), tenantId, async () => 'answer'), 'answer');
  });

  it('writes nothing of a unit that throws, and passes the error on unchanged', async () => {
    const tenantId = await newTenant(store());
    const existing = await insertKey(store(), sampleKey(tenantId));
    const added = sampleKey(tenantId);
    const token = sampleToken(tenantId);
    const failure = new KmsError('FORBIDDEN', 'the work failed');
    const failing = store().transact(scopeOf(tenantId), async (unit) => {
      await unit.keys.insert(added);
      await unit.keys.update(nextRevision(existing, { name: 'renamed' }), 1);
      await unit.tokens.insert(token);
      await unit.keys.leaseOperations({ keyId: existing.keyId, version: 0, budget: 10, count: 10 });
      await unit.idempotency.claim('rolled-back', someBytes(32));
      await unit.idempotency.complete('rolled-back', someBytes(8), 3600);
      throw failure;
    });
    await assert.rejects(failing, (error) => error === failure);

    assert.equal(await store().readKey(tenantId, added.keyId), undefined);
    assertMembers(await store().readKey(tenantId, existing.keyId), { name: null, revision: 1 });
    assert.equal(await store().findToken(token.hash), undefined);
    await asTenant(store(), tenantId, async (unit) => {
      assert.equal(await unit.idempotency.claim('rolled-back', someBytes(32)), undefined);
      const lease = { keyId: existing.keyId, version: 0, budget: 10, count: 10 };
      assert.equal(await unit.keys.leaseOperations(lease), 10);
    });
  });

  it('does the same whether or not it is told what a unit locks first', async () => {
    const tenantId = await newTenant(store());
    const [key, other] = [await insertKey(store(), sampleKey(tenantId)), await insertKey(store(), sampleKey(tenantId))];
    const first = { keyId: key.keyId };
    const names = await store().transact(
      scopeOf(tenantId),
      async ({ keys }) => {
        await keys.update(nextRevision(other, { name: 'other' }), 1);
        const locked = await keys.get(key.keyId, { lock: true });
        if (locked !== undefined) await keys.update(nextRevision(locked, { name: 'first' }), locked.revision);
        const again = await keys.get(key.keyId, { lock: true });
        return [locked?.name, again?.name];
      },
      first,
    );
    assert.deepEqual(names, [null, 'first']);
    assertMembers(await store().readKey(tenantId, key.keyId), { name: 'first', revision: 2 });
    assertMembers(await store().readKey(tenantId, other.keyId), { name: 'other', revision: 2 });
    // Written before it is locked, against what was announced.
    const blind = await store().transact(
      scopeOf(tenantId),
      async ({ keys }) => {
        await keys.update(nextRevision({ ...other, revision: 2 }, { name: 'blind' }), 2);
        return (await keys.get(other.keyId, { lock: true }))?.name;
      },
      { keyId: other.keyId },
    );
    assert.equal(blind, 'blind');
    const seen = await store().readKey(tenantId, key.keyId);
    const changed = await store().transact(
      scopeOf(tenantId),
      async ({ keys }) => (await keys.get(key.keyId, { lock: true, seen }))?.revision,
      { keyId: key.keyId, seen },
    );
    assert.equal(changed, 2);
    const foreign = await store().transact(
      scopeOf(await newTenant(store())),
      ({ keys }) => keys.get(key.keyId, { lock: true }),
      first,
    );
    assert.equal(foreign, undefined);
    const failure = new KmsError('FORBIDDEN', 'the work failed');
    await assert.rejects(
      store().transact(scopeOf(tenantId), () => Promise.reject(failure), first),
      (error) => error === failure,
    );
    assert.equal(await store().transact(scopeOf(tenantId), async () => 'nothing', first), 'nothing');
  });

  it('shows a unit its own writes and nobody else before it ends', async () => {
    const tenantId = await newTenant(store());
    const key = sampleKey(tenantId);
    await asTenant(store(), tenantId, async (unit) => {
      await unit.keys.insert(key);
      assertMembers(await unit.keys.get(key.keyId), { keyId: key.keyId });
    });
    assertMembers(await store().readKey(tenantId, key.keyId), { keyId: key.keyId });
  });

  it('goes on after a CONFLICT that the work handles', async () => {
    const tenantId = await newTenant(store());
    const first = await insertKey(store(), sampleKey(tenantId));
    const second = sampleKey(tenantId);
    await asTenant(store(), tenantId, async (unit) => {
      await assert.rejects(unit.keys.insert(first), { code: 'CONFLICT' });
      await unit.keys.insert(second);
    });
    assertMembers(await store().readKey(tenantId, second.keyId), { keyId: second.keyId });
  });

  it('keeps nothing of a unit that made a record that no operation makes, even where the work goes on', async () => {
    const tenantId = await newTenant(store());
    const existing = await insertKey(store(), sampleKey(tenantId));
    const brokenCalls = [
      (unit: UnitOfWork) => unit.keys.insert(sampleKey(tenantId, { currentVersion: 2 })),
      (unit: UnitOfWork) => unit.keys.insert(sampleKey(tenantId, { versions: [sampleVersion(1), sampleVersion(2)] })),
      (unit: UnitOfWork) => unit.keys.update(nextRevision(existing, { createdAt: new Date(0) }), 1),
    ];
    for (const call of brokenCalls) {
      const added = sampleKey(tenantId);
      const going = asTenant(store(), tenantId, async (unit) => {
        await unit.keys.insert(added);
        // A constraint may be checked as late as at the commit.
        const refused: unknown = await call(unit).catch((error: unknown) => error);
        if (refused !== undefined) assertMembers(refused, { code: 'INTERNAL_ERROR' });
      });
      await assert.rejects(going, { code: 'INTERNAL_ERROR' });
      assert.equal(await store().readKey(tenantId, added.keyId), undefined);
    }
  });

  it('refuses a unit that is used after it ended', async () => {
    const tenantId = await newTenant(store());
    const key = sampleKey(tenantId);
    let kept: UnitOfWork | undefined;
    await asTenant(store(), tenantId, async (unit) => {
      kept = unit;
    });
    await assert.rejects(async () => kept?.keys.insert(key), { code: 'INTERNAL_ERROR' });
    await assert.rejects(async () => kept?.tokens.list({ limit: 1 }), { code: 'INTERNAL_ERROR' });
    assert.equal(await store().readKey(tenantId, key.keyId), undefined);
  });

  it('has a clock of whole milliseconds that stands still in a unit and never goes back', async () => {
    const tenantId = await newTenant(store());
    const first = await asTenant(store(), tenantId, async (unit) => {
      const key = sampleKey(tenantId, { createdAt: unit.now, updatedAt: unit.now });
      await unit.keys.insert(key);
      const stored = await unit.keys.get(key.keyId);
      assert.equal(stored?.createdAt.getTime(), unit.now.getTime());
      return unit.now;
    });
    const second = await asTenant(store(), tenantId, async (unit) => unit.now);
    assert.equal(Number.isInteger(first.getTime()), true);
    assert.ok(second.getTime() >= first.getTime());
  });

  it('answers a ping', async () => {
    assert.equal(await store().ping(), undefined);
  });
}
