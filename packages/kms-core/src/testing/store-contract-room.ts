import assert from 'node:assert/strict';
import { KmsError } from '../errors/kms-error.ts';
import type { IdentityBindingRecord } from '../access/identity-binding.ts';
import type { QuotaKind } from '../errors/quota-exceeded.ts';
import type { TenantId } from '../model/identifiers.ts';
import { TOKEN_OVERLAP_END, withField } from '../model/record-fields.ts';
import type { Room, Store, UnitOfWork } from '../ports/store.ts';
import { assertMembers } from './assert-members.ts';
import type { Rules } from './contract.ts';
import {
  asTenant,
  destroyed,
  insertKey,
  newTenant,
  revoked,
  sampleApproval,
  sampleBinding,
  sampleDenial,
  sampleKey,
  sampleMac,
  sampleToken,
  someBytes,
  SYSTEM,
} from './store-samples.ts';

/** How one more of a kind is added. */
type Adding = (unit: UnitOfWork, tenantId: TenantId, room?: Room) => Promise<void>;

const ADDING: Readonly<
  Record<Exclude<QuotaKind, 'keyVersions' | 'operationsPerMonth' | 'removedIdentityBindings'>, Adding>
> = {
  keys: (unit, tenantId, room) => unit.keys.insert(sampleKey(tenantId), room),
  tokens: (unit, tenantId, room) => unit.tokens.insert(sampleToken(tenantId), room),
  identityBindings: (unit, tenantId, room) => unit.identities.insert(sampleBinding(tenantId), room),
  identityDenials: (unit, tenantId, room) => unit.identities.insertDenial(sampleDenial(tenantId), room),
  approvals: (unit, tenantId, room) => unit.approvals.insert(sampleApproval(tenantId), room),
};

export function roomRules({ it }: Rules, store: () => Store): void {
  const refusal = (limit: string, maximum: number, used = maximum) => ({
    code: 'QUOTA_EXCEEDED',
    details: { limit, maximum, used },
  });

  for (const [kind, add] of Object.entries(ADDING)) {
    it(`has as many ${kind} of a tenant as there is room for, and any number where that is not said`, async () => {
      const [tenantId, other] = [await newTenant(store()), await newTenant(store())];
      for (let index = 0; index < 3; index += 1) await asTenant(store(), other, (unit) => add(unit, other));
      for (let index = 0; index < 2; index += 1)
        await asTenant(store(), tenantId, (unit) => add(unit, tenantId, { atMost: 2 }));
      const inTenant = asTenant(store(), tenantId, (unit) => add(unit, tenantId, { atMost: 2 }));
      await assert.rejects(inTenant, refusal(kind, 2));
      const inSystem = store().transact(SYSTEM, (unit) => add(unit, tenantId, { atMost: 1 }));
      await assert.rejects(inSystem, refusal(kind, 1, 2));
      await asTenant(store(), tenantId, (unit) => add(unit, tenantId));
      await assert.rejects(
        asTenant(store(), tenantId, (unit) => add(unit, tenantId, { atMost: 3 })),
        refusal(kind, 3),
      );
      await asTenant(store(), tenantId, (unit) => add(unit, tenantId, { atMost: 4 }));
    });

    it(`keeps nothing of a unit that found no room for one of the ${kind}`, async () => {
      const tenantId = await newTenant(store());
      const key = sampleKey(tenantId);
      const going = asTenant(store(), tenantId, async (unit) => {
        await unit.keys.insert(key);
        await assert.rejects(add(unit, tenantId, { atMost: 0 }), { code: 'QUOTA_EXCEEDED' });
      });
      await assert.rejects(going, (error) => KmsError.is(error));
      assert.equal(await store().readKey(tenantId, key.keyId), undefined);
    });

    it(`has no more ${kind} than there is room for when many units add one at the same time`, async () => {
      const tenantId = await newTenant(store());
      const adding = Array.from({ length: 12 }, () => {
        return asTenant(store(), tenantId, (unit) => add(unit, tenantId, { atMost: 3 }));
      });
      const outcomes = await Promise.allSettled(adding);
      assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 3);
      for (const outcome of outcomes)
        if (outcome.status === 'rejected') assertMembers(outcome.reason, refusal(kind, 3));
    });
  }

  it('has room again for a key when one was destroyed, and when one was not added after all', async () => {
    const tenantId = await newTenant(store());
    const [first] = [await insertKey(store(), sampleKey(tenantId)), await insertKey(store(), sampleKey(tenantId))];
    const add = () => asTenant(store(), tenantId, (unit) => unit.keys.insert(sampleKey(tenantId), { atMost: 2 }));
    await assert.rejects(add(), { code: 'QUOTA_EXCEEDED' });
    await asTenant(store(), tenantId, (unit) => unit.keys.update(destroyed(first), 1));
    const failing = asTenant(store(), tenantId, async (unit) => {
      await unit.keys.insert(sampleKey(tenantId), { atMost: 2 });
      throw new Error('not after all');
    });
    await assert.rejects(failing, /not after all/);
    await add();
    await assert.rejects(add(), { code: 'QUOTA_EXCEEDED' });
  });

  it('counts neither tokens that were revoked, replaced or have expired, nor those of the platform', async () => {
    const tenantId = await newTenant(store());
    const [gone, replaced] = [sampleToken(tenantId), sampleToken(tenantId)];
    await asTenant(store(), tenantId, async (unit) => {
      const ended = [gone, replaced, sampleToken(tenantId, { expiresAt: unit.now })];
      for (const token of ended) await unit.tokens.insert(token);
      await unit.tokens.revoke(revoked(gone, unit.now));
      const fields = withField(replaced.fields, TOKEN_OVERLAP_END, new Date(unit.now.getTime() + 60_000));
      await unit.tokens.retire({ ...replaced, fields, mac: sampleMac() });
    });
    await store().transact(SYSTEM, (unit) => unit.tokens.insert(sampleToken(null), { atMost: 0 }));
    const ending = sampleToken(tenantId, { expiresAt: new Date('2999-01-01T00:00:00.000Z') });
    await asTenant(store(), tenantId, (unit) => unit.tokens.insert(ending, { atMost: 1 }));
    const another = asTenant(store(), tenantId, (unit) => unit.tokens.insert(sampleToken(tenantId), { atMost: 1 }));
    await assert.rejects(another, refusal('tokens', 1));
  });

  it('answers how many of each kind a tenant has, to a unit that sees the tenant', async () => {
    const [tenantId, other] = [await newTenant(store()), await newTenant(store())];
    const none = { keys: 0, tokens: 0, identityBindings: 0, operationsThisMonth: 0, keptAnswers: 0 };
    const usage = (of = tenantId) => asTenant(store(), of, (unit) => unit.tenants.usage(of));
    assert.deepEqual(await usage(), none);
    const [key, binding, token] = [sampleKey(tenantId), sampleBinding(tenantId), sampleToken(tenantId)];
    await asTenant(store(), tenantId, async (unit) => {
      for (const added of [key, sampleKey(tenantId), sampleKey(tenantId)]) await unit.keys.insert(added);
      for (const added of [token, sampleToken(tenantId)]) await unit.tokens.insert(added);
      await unit.identities.insert(binding);
      await unit.keys.addOperations(7);
      for (const [name, ttlSeconds] of [
        ['kept', 3600],
        ['expired', 0],
        ['kept too', 3600],
      ] as const) {
        await unit.idempotency.claim(name, someBytes(32));
        await unit.idempotency.complete(name, someBytes(8), ttlSeconds);
      }
      assert.deepEqual(await unit.tenants.usage(tenantId), {
        keys: 3,
        tokens: 2,
        identityBindings: 1,
        operationsThisMonth: 7,
        keptAnswers: 2,
      });
    });
    await asTenant(store(), tenantId, async (unit) => {
      await unit.keys.update(destroyed(key), 1);
      await unit.tokens.revoke(revoked(token, unit.now));
      await unit.identities.remove({ ...binding, removedAt: unit.now, mac: sampleMac() });
    });
    const left = { keys: 2, tokens: 1, identityBindings: 0, operationsThisMonth: 7, keptAnswers: 2 };
    assert.deepEqual(await usage(), left);
    assert.deepEqual(await store().transact(SYSTEM, (unit) => unit.tenants.usage(tenantId)), left);
    assert.deepEqual(await asTenant(store(), other, (unit) => unit.tenants.usage(tenantId)), none);
    assert.deepEqual(await usage(other), none);
  });

  it('has so many bindings that were removed, which stay: no other one is added then, and each that is there can be removed', async () => {
    const [tenantId, other] = [await newTenant(store()), await newTenant(store())];
    const bindings = [sampleBinding(tenantId), sampleBinding(tenantId), sampleBinding(tenantId)];
    const room = { atMost: 10, removedAtMost: 2 };
    const add = (binding: IdentityBindingRecord) =>
      asTenant(store(), binding.tenantId, (unit) => unit.identities.insert(binding, room));
    const remove = (binding: IdentityBindingRecord) =>
      asTenant(store(), tenantId, (unit) =>
        unit.identities.remove({ ...binding, removedAt: unit.now, mac: sampleMac() }),
      );
    for (const binding of bindings) await add(binding);
    for (const binding of bindings) await remove(binding);
    await assert.rejects(add(sampleBinding(tenantId)), refusal('removedIdentityBindings', 2, 3));
    await add(sampleBinding(other));
    await asTenant(store(), tenantId, (unit) => unit.identities.insert(sampleBinding(tenantId), { atMost: 10 }));
  });

  it('has room again for a binding when one was removed', async () => {
    const tenantId = await newTenant(store());
    const first = sampleBinding(tenantId);
    const add = (binding = sampleBinding(tenantId)) =>
      asTenant(store(), tenantId, (unit) => unit.identities.insert(binding, { atMost: 1 }));
    await add(first);
    await assert.rejects(add(), refusal('identityBindings', 1));
    await asTenant(store(), tenantId, (unit) =>
      unit.identities.remove({ ...first, removedAt: unit.now, mac: sampleMac() }),
    );
    await add();
  });
}
