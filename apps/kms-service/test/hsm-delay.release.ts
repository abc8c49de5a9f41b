import { lostTime } from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  DELAY_MS,
  POOL_SIZE,
  probe,
  probeWhileBusy,
  probeWhileHalted,
  QUEUE_LIMIT,
  type SlowHsmService,
  startSlowHsmService,
} from './hsm-delay.ts';

/**
 * Calls that were waited for on the event loop would hold up nearly everything: each of the callers has the next one ready
 * when one ends. What a busy machine does to a few answers is left to the soak test.
 */
const NOTICEABLE_MS = DELAY_MS / 3;

let service: SlowHsmService;

beforeAll(async () => {
  service = await startSlowHsmService();
});
afterAll(async () => {
  await service?.end();
});

describe('while every call of the HSM takes 300 ms', { timeout: 600_000 }, () => {
  test('what needs no HSM is answered as fast as without it', async () => {
    const quiet = await probe(service);
    const busy = await probeWhileBusy(service);
    expect(busy.livez - quiet.livez).toBeLessThan(NOTICEABLE_MS);
    expect(busy.encrypt - quiet.encrypt).toBeLessThan(NOTICEABLE_MS);
    expect(busy.signatures).toBeGreaterThan(0);
  });

  test('a service that stood still for so long would be noticed', async () => {
    const quiet = await probe(service);
    const halted = await probeWhileHalted(service);
    expect(Math.max(halted.livez - quiet.livez, halted.encrypt - quiet.encrypt)).toBeGreaterThan(NOTICEABLE_MS);
  });

  test('calls beyond the sessions and the queue are refused at once, and nothing else is', async () => {
    // None ends before all have arrived.
    service.module.rules('C_Sign delay 8000');
    const [lost, begun] = [lostTime(service.local.service.child.pid), performance.now()];
    const calls = Array.from({ length: 20 }, async () => {
      const { status, headers, body } = await service.sign();
      const after = performance.now() - begun - lost();
      return { status, code: body['code'], retryAfter: headers.get('retry-after'), after };
    });
    const held = POOL_SIZE + QUEUE_LIMIT;
    let ended = 0;
    for (const call of calls) void call.then(() => (ended += 1));
    await expect.poll(() => ended, { timeout: 7500, interval: 10 }).toBe(calls.length - held);
    expect((await service.encrypt()).status).toBe(200);
    expect((await service.local.call('GET', '/livez')).status).toBe(200);
    const answers = (await Promise.all(calls)).sort((a, b) => a.after - b.after);
    expect(answers.slice(0, -held).map(({ status, code }) => ({ status, code }))).toEqual(
      Array.from({ length: calls.length - held }, () => ({ status: 503, code: 'HSM_UNAVAILABLE' })),
    );
    for (const { retryAfter, after } of answers.slice(0, -held)) {
      expect(Number(retryAfter)).toBeGreaterThan(0);
      expect(after).toBeLessThan(1800);
    }
    expect(answers.slice(-held).map(({ status }) => status)).toEqual(Array(held).fill(200));
    service.module.rules();
    // To be full is no failure of the HSM.
    expect((await service.sign()).status).toBe(200);
  });
});
