import assert from 'node:assert/strict';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Store } from '../ports/store.ts';
import { assertMembers } from './assert-members.ts';
import type { Rules } from './contract.ts';
import { asTenant, comparable, insertKey, newTenant, sampleKey, someBytes, systemTenant } from './store-samples.ts';

export function idempotencyRules({ it }: Rules, store: () => Store): void {
  it('answers a completed call again, with the fingerprint of its request', async () => {
    const tenantId = await newTenant(store());
    const [fingerprint, answer] = [someBytes(32), someBytes(100)];
    const expiresAt = await asTenant(store(), tenantId, async (unit) => {
      assert.equal(await unit.idempotency.claim('k', fingerprint), undefined);
      await unit.idempotency.complete('k', answer, 3600);
      return new Date(unit.now.getTime() + 3_600_000);
    });
    for (const attempt of [fingerprint, someBytes(32)]) {
      const replayed = await asTenant(store(), tenantId, (unit) => unit.idempotency.claim('k', attempt));
      assert.deepEqual(comparable(replayed), comparable({ key: 'k', fingerprint, answer, expiresAt }));
    }
    const other = await asTenant(store(), tenantId, (unit) => unit.idempotency.claim('K', fingerprint));
    assert.equal(other, undefined);
  });

  it('frees a key when its answer has expired', async () => {
    const tenantId = await newTenant(store());
    const second = someBytes(32);
    await asTenant(store(), tenantId, async (unit) => {
      await unit.idempotency.claim('k', someBytes(32));
      await unit.idempotency.complete('k', someBytes(8), 0);
    });
    await asTenant(store(), tenantId, async (unit) => {
      assert.equal(await unit.idempotency.claim('k', second), undefined);
      await unit.idempotency.complete('k', someBytes(8), 3600);
    });
    const replayed = await asTenant(store(), tenantId, (unit) => unit.idempotency.claim('k', second));
    assert.equal(comparable(replayed?.fingerprint), comparable(second));
  });

  it('keeps an answer for seconds, not milliseconds', async () => {
    const tenantId = await newTenant(store());
    await asTenant(store(), tenantId, async (unit) => {
      await unit.idempotency.claim('k', someBytes(32));
      await unit.idempotency.complete('k', someBytes(8), 20);
    });
    await sleep(40);
    const replayed = await asTenant(store(), tenantId, (unit) => unit.idempotency.claim('k', someBytes(32)));
    assertMembers(replayed, { key: 'k' });
  });

  it('frees a key whose unit failed', async () => {
    const tenantId = await newTenant(store());
    const failing = asTenant(store(), tenantId, async (unit) => {
      await unit.idempotency.claim('k', someBytes(32));
      throw new Error('the work failed');
    });
    await assert.rejects(failing, { message: 'the work failed' });
    assert.equal(await asTenant(store(), tenantId, (unit) => unit.idempotency.claim('k', someBytes(32))), undefined);
  });

  it('frees a key that was claimed and not completed', async () => {
    const tenantId = await newTenant(store());
    await asTenant(store(), tenantId, (unit) => unit.idempotency.claim('k', someBytes(32)));
    assert.equal(await asTenant(store(), tenantId, (unit) => unit.idempotency.claim('k', someBytes(32))), undefined);
  });

  it('refuses to complete what was not claimed', async () => {
    const tenantId = await newTenant(store());
    const complete = (): Promise<void> =>
      asTenant(store(), tenantId, (unit) => unit.idempotency.complete('k', someBytes(8), 3600));
    await assert.rejects(complete(), { code: 'INTERNAL_ERROR' });
    await asTenant(store(), tenantId, async (unit) => {
      await unit.idempotency.claim('k', someBytes(32));
      await unit.idempotency.complete('k', someBytes(8), 3600);
    });
    await assert.rejects(complete(), { code: 'INTERNAL_ERROR' });
  });

  it('runs one of many calls that come at the same time', async () => {
    const tenantId = await newTenant(store());
    const fingerprint = someBytes(32);
    let runs = 0;
    const call = (): Promise<string> =>
      asTenant(store(), tenantId, async (unit) => {
        const earlier = await unit.idempotency.claim('k', fingerprint);
        if (earlier !== undefined) return Buffer.from(earlier.answer).toString('utf8');
        runs += 1;
        const key = sampleKey(tenantId);
        await nextTurn();
        await unit.keys.insert(key);
        await unit.idempotency.complete('k', Buffer.from(key.keyId, 'utf8'), 3600);
        return key.keyId;
      });
    const answers = await Promise.all(Array.from({ length: 12 }, call));
    assert.equal(runs, 1);
    assert.equal(new Set(answers).size, 1);
    const { items } = await asTenant(store(), tenantId, (unit) => unit.keys.list({ limit: 10, after: null }));
    assert.deepEqual(
      items.map((key) => key.keyId),
      [answers[0]],
    );
  });

  it('lets the next of many calls run when the first fails', async () => {
    const tenantId = await newTenant(store());
    let runs = 0;
    const call = (): Promise<string> =>
      asTenant(store(), tenantId, async (unit) => {
        if ((await unit.idempotency.claim('k', someBytes(32))) !== undefined) return 'replayed';
        runs += 1;
        if (runs === 1) throw new Error('the first call failed');
        await unit.idempotency.complete('k', someBytes(8), 3600);
        return 'ran';
      });
    const outcomes = await Promise.allSettled(Array.from({ length: 5 }, call));
    const answers = outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : 'failed'));
    assert.deepEqual(answers.sort(), ['failed', 'ran', 'replayed', 'replayed', 'replayed']);
  });

  it('serves the system scope too', async () => {
    const tenantId = await newTenant(store());
    await insertKey(store(), sampleKey(tenantId));
    await systemTenant(store());
    const key = `system ${tenantId}`;
    const [fingerprint, answer] = [someBytes(32), someBytes(8)];
    const expiresAt = await store().transact({ kind: 'system' }, async (unit) => {
      assert.equal(await unit.idempotency.claim(key, fingerprint), undefined);
      await unit.idempotency.complete(key, answer, 3600);
      return new Date(unit.now.getTime() + 3_600_000);
    });
    const replayed = await store().transact({ kind: 'system' }, (unit) => unit.idempotency.claim(key, fingerprint));
    assert.deepEqual(comparable(replayed), comparable({ key, fingerprint, answer, expiresAt }));
    assert.equal(await asTenant(store(), tenantId, (unit) => unit.idempotency.claim(key, fingerprint)), undefined);
  });
}
