import assert from 'node:assert/strict';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { KmsError } from '../errors/kms-error.ts';
import { newId, type TenantId } from '../model/identifiers.ts';
import type { Store } from '../ports/store.ts';
import { assertMembers } from './assert-members.ts';
import type { Rules } from './contract.ts';
import { asTenant, comparable, insertKey, newTenant, sampleKey, someBytes, systemTenant } from './store-samples.ts';

export function idempotencyRules({ it }: Rules, store: () => Store): void {
  /** Keeps an answer under a key, unless there is one; there is room for so many. */
  const keep = (tenantId: TenantId, key: string, atMost?: number, ttlSeconds = 3600) =>
    asTenant(store(), tenantId, async (unit) => {
      const earlier = await unit.idempotency.claim(key, someBytes(32), { atMost });
      if (earlier === undefined) await unit.idempotency.complete(key, someBytes(8), ttlSeconds);
      return earlier;
    });
  const refusal = (maximum: number, used = maximum) => ({
    code: 'TOO_MANY_REQUESTS',
    details: { limit: 'keptAnswers', maximum, used },
  });

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

  it('keeps as many answers of a tenant as there is room for, and any number where that is not said', async () => {
    const [tenantId, other] = [await newTenant(store()), await newTenant(store())];
    for (const key of ['a', 'b', 'c']) await keep(other, key);
    for (const key of ['a', 'b']) await keep(tenantId, key, 2);
    await assert.rejects(keep(tenantId, 'c', 2), refusal(2));
    await assert.rejects(keep(tenantId, 'c', 1), refusal(1, 2));
    await keep(tenantId, 'c');
    await assert.rejects(keep(tenantId, 'd', 3), refusal(3));
    await keep(tenantId, 'd', 4);
  });

  it('tells what is kept again whether or not there is room for more', async () => {
    const tenantId = await newTenant(store());
    await keep(tenantId, 'k', 1);
    assertMembers(await keep(tenantId, 'k', 1), { key: 'k' });
    assertMembers(await keep(tenantId, 'k', 0), { key: 'k' });
  });

  it('has room again for an answer when one has expired, also for another one under the same key', async () => {
    const tenantId = await newTenant(store());
    await keep(tenantId, 'a', 2, 0);
    await keep(tenantId, 'b', 2);
    await keep(tenantId, 'c', 2);
    await assert.rejects(keep(tenantId, 'd', 2), refusal(2));
    const own = await newTenant(store());
    for (let time = 0; time < 3; time += 1) assert.equal(await keep(own, 'k', 1, 0), undefined);
    await keep(own, 'k', 1);
    await assert.rejects(keep(own, 'l', 1), refusal(1));
  });

  it('says when there is room again: when as many have expired as it takes', async () => {
    const tenantId = await newTenant(store());
    const since = await asTenant(store(), tenantId, async (unit) => {
      for (const seconds of [3000, 1000, 2000]) {
        await unit.idempotency.claim(`for ${seconds}`, someBytes(32));
        await unit.idempotency.complete(`for ${seconds}`, someBytes(8), seconds);
      }
      return unit.now.getTime();
    });
    for (const [atMost, seconds] of [
      [3, 1000],
      [2, 2000],
      [1, 3000],
    ] as const) {
      let left = 0;
      const refused = asTenant(store(), tenantId, async (unit) => {
        left = since + seconds * 1000 - unit.now.getTime();
        await unit.idempotency.claim('one more', someBytes(32), { atMost });
      });
      await assert.rejects(refused, (error) => {
        assertMembers(error, { ...refusal(atMost, 3), retryAfterSeconds: Math.ceil(left / 1000) });
        return true;
      });
    }
  });

  it('counts neither a claim whose unit failed nor one that was not completed', async () => {
    const tenantId = await newTenant(store());
    const failing = asTenant(store(), tenantId, async (unit) => {
      await unit.idempotency.claim('failed', someBytes(32), { atMost: 1 });
      await unit.idempotency.complete('failed', someBytes(8), 3600);
      throw new Error('the work failed');
    });
    await assert.rejects(failing, { message: 'the work failed' });
    await asTenant(store(), tenantId, (unit) => unit.idempotency.claim('claimed', someBytes(32), { atMost: 1 }));
    await keep(tenantId, 'k', 1);
    await assert.rejects(keep(tenantId, 'l', 1), refusal(1));
  });

  it('keeps nothing of a unit that found no room for its answer', async () => {
    const tenantId = await newTenant(store());
    const key = sampleKey(tenantId);
    const going = asTenant(store(), tenantId, async (unit) => {
      await unit.keys.insert(key);
      await assert.rejects(unit.idempotency.claim('k', someBytes(32), { atMost: 0 }), { code: 'TOO_MANY_REQUESTS' });
    });
    await assert.rejects(going, (error) => KmsError.is(error));
    assert.equal(await store().readKey(tenantId, key.keyId), undefined);
  });

  it('keeps no more answers than there is room for when many units keep one at the same time', async () => {
    const tenantId = await newTenant(store());
    const outcomes = await Promise.allSettled(
      Array.from({ length: 12 }, (_, index) => keep(tenantId, `k ${index}`, 3)),
    );
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 3);
    for (const outcome of outcomes) if (outcome.status === 'rejected') assertMembers(outcome.reason, refusal(3));
  });

  it('has room for any number of answers in the system scope', async () => {
    await systemTenant(store());
    for (const key of [`one ${newId()}`, `other ${newId()}`]) {
      await store().transact({ kind: 'system' }, async (unit) => {
        assert.equal(await unit.idempotency.claim(key, someBytes(32), { atMost: 0 }), undefined);
        await unit.idempotency.complete(key, someBytes(8), 3600);
      });
    }
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
