import { createCipheriv, randomBytes } from 'node:crypto';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { lostTime } from '@qnsp/test-harness';
import { expect, it } from 'vitest';
import { makeFaultyModule, makeToken, open } from './tokens.ts';

const DELAY_MS = 300;
const POOL = 4;

it('never waits for an HSM on the event loop, and uses its sessions side by side', {
  timeout: 600_000,
}, async () => {
  const token = await makeToken();
  const module = makeFaultyModule(token);
  const hsm = await open(token, { poolSize: POOL, timeoutMs: 60_000 }, { module });
  await hsm.createRoot();
  const aad = Buffer.from('aad');
  const wrapped = await hsm.root.wrap(randomBytes(32), aad);
  // Every session has met the key before anything is measured.
  await Promise.all(Array.from({ length: POOL * 2 }, () => hsm.root.unwrap(wrapped, aad)));

  module.rules(`* delay ${DELAY_MS}`);
  const loop = monitorEventLoopDelay({ resolution: 1 });
  loop.enable();
  const [lostSince, started] = [lostTime(), performance.now()];
  const calls = Promise.all(Array.from({ length: POOL * 2 }, () => hsm.root.unwrap(wrapped, aad)));
  let done = false;
  const finished = calls.then(() => {
    done = true;
  });
  const durations: number[] = [];
  while (!done) {
    const [lost, before] = [lostTime(), performance.now()];
    createCipheriv('aes-256-gcm', Buffer.alloc(32), Buffer.alloc(12)).update(randomBytes(1024));
    await new Promise((resolve) => {
      setTimeout(resolve, 1);
    });
    durations.push(performance.now() - before - lost());
  }
  await finished;
  loop.disable();
  const [elapsed, lostMs] = [performance.now() - started, lostSince()];

  // One call on the event loop would stop it for all of the delay.
  expect(Math.max(...durations)).toBeLessThan(DELAY_MS / 3);
  expect(loop.max / 1e6).toBeLessThan(DELAY_MS / 3 + lostMs);
  // Two calls of 300 ms each, twice in a row: one after the other they would take eight times 600 ms.
  expect(elapsed).toBeGreaterThan(4 * DELAY_MS);
  expect(elapsed).toBeLessThan(8 * DELAY_MS + lostMs);
});
