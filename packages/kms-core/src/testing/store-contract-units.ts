import { expect, it } from 'vitest';
import { KmsError } from '../errors/kms-error.ts';
import type { Store, UnitOfWork } from '../ports/store.ts';
import {
  asTenant,
  insertKey,
  newTenant,
  nextRevision,
  sampleKey,
  sampleToken,
  scopeOf,
  someBytes,
} from './store-samples.ts';

export function unitRules(store: () => Store): void {
  it('answers what the work answers', async () => {
    const tenantId = await newTenant(store());
    await expect(asTenant(store(), tenantId, async () => 'answer')).resolves.toBe('answer');
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
    await expect(failing).rejects.toBe(failure);

    await expect(store().readKey(tenantId, added.keyId)).resolves.toBeUndefined();
    await expect(store().readKey(tenantId, existing.keyId)).resolves.toMatchObject({ name: null, revision: 1 });
    await expect(store().findToken(token.hash)).resolves.toBeUndefined();
    await asTenant(store(), tenantId, async (unit) => {
      await expect(unit.idempotency.claim('rolled-back', someBytes(32))).resolves.toBeUndefined();
      const lease = { keyId: existing.keyId, version: 0, budget: 10, count: 10 };
      await expect(unit.keys.leaseOperations(lease)).resolves.toBe(10);
    });
  });

  it('shows a unit its own writes and nobody else before it ends', async () => {
    const tenantId = await newTenant(store());
    const key = sampleKey(tenantId);
    await asTenant(store(), tenantId, async (unit) => {
      await unit.keys.insert(key);
      await expect(unit.keys.get(key.keyId)).resolves.toMatchObject({ keyId: key.keyId });
    });
    await expect(store().readKey(tenantId, key.keyId)).resolves.toMatchObject({ keyId: key.keyId });
  });

  it('goes on after a CONFLICT that the work handles', async () => {
    const tenantId = await newTenant(store());
    const first = await insertKey(store(), sampleKey(tenantId));
    const second = sampleKey(tenantId);
    await asTenant(store(), tenantId, async (unit) => {
      await expect(unit.keys.insert(first)).rejects.toMatchObject({ code: 'CONFLICT' });
      await unit.keys.insert(second);
    });
    await expect(store().readKey(tenantId, second.keyId)).resolves.toMatchObject({ keyId: second.keyId });
  });

  it('refuses a unit that is used after it ended', async () => {
    const tenantId = await newTenant(store());
    const key = sampleKey(tenantId);
    let kept: UnitOfWork | undefined;
    await asTenant(store(), tenantId, async (unit) => {
      kept = unit;
    });
    await expect(async () => kept?.keys.insert(key)).rejects.toMatchObject({ code: 'INTERNAL_ERROR' });
    await expect(async () => kept?.tokens.list({ limit: 1 })).rejects.toMatchObject({ code: 'INTERNAL_ERROR' });
    await expect(store().readKey(tenantId, key.keyId)).resolves.toBeUndefined();
  });

  it('has a clock of whole milliseconds that stands still in a unit and never goes back', async () => {
    const tenantId = await newTenant(store());
    const first = await asTenant(store(), tenantId, async (unit) => {
      const key = sampleKey(tenantId, { createdAt: unit.now, updatedAt: unit.now });
      await unit.keys.insert(key);
      const stored = await unit.keys.get(key.keyId);
      expect(stored?.createdAt.getTime()).toBe(unit.now.getTime());
      return unit.now;
    });
    const second = await asTenant(store(), tenantId, async (unit) => unit.now);
    expect(Number.isInteger(first.getTime())).toBe(true);
    expect(second.getTime()).toBeGreaterThanOrEqual(first.getTime());
  });

  it('answers a ping', async () => {
    await expect(store().ping()).resolves.toBeUndefined();
  });
}
