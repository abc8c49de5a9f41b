import { randomUUID } from 'node:crypto';
import { ALGORITHMS } from '@qnsp/kms-core/algorithms';
import { expect, it } from 'vitest';
import { aad, openFaulty } from './faulty-hsm.ts';

it('lets a tenant that has little to do pass one that keeps all sessions of an HSM busy', async () => {
  const { module, hsm } = await openFaulty({ poolSize: 2, queueLimit: 40, timeoutMs: 60_000 });
  const algorithm = ALGORITHMS.find(({ id }) => id === 'ecdsa-p256');
  if (algorithm === undefined) throw new Error('there is no such algorithm');
  const engineOf = async (tenantId: string) => {
    const { handle, publicKey } = await hsm.resident.generate(algorithm, { tenantId, keyId: randomUUID(), version: 1 });
    return hsm.resident.engine(algorithm, handle, publicKey, tenantId);
  };
  const [many, one] = [await engineOf(randomUUID()), await engineOf(randomUUID())];
  module.rules('C_Sign delay 50');
  const order: string[] = [];
  const refusals: unknown[] = [];
  const sign = async (name: string, engine: typeof many) => {
    try {
      await engine.sign?.(aad, {});
      order.push(name);
    } catch (error) {
      refusals.push(error);
    }
  };
  // As many as may wait, and as there are sessions.
  const flood = Array.from({ length: 42 }, () => sign('many', many));
  await sign('one', one);
  // What ran when it came and beside it, and what was pushed out to let it wait; in the order of coming it would have been all.
  expect(order.length).toBeLessThanOrEqual(20);
  expect(order).toContain('one');
  expect(refusals).toMatchObject([{ code: 'HSM_UNAVAILABLE' }]);
  await Promise.all(flood);
  expect(order.filter((name) => name === 'many')).toHaveLength(41);
});
