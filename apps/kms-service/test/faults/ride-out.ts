import type { Sql } from 'postgres';
import { expect } from 'vitest';
import { expectUnavailable } from './expect-unavailable.ts';
import { watchHealth } from './health-watch.ts';
import { expectKeptPromises } from './kept-promises.ts';
import type { KmsOnPostgres } from './kms-on-postgres.ts';
import { type Ledger, record, startRecordedLoad } from './recorded-load.ts';

/** A busy machine adds to what the service takes by its own clock. */
const SLACK_MS = 1500;
const PATIENCE_MS = 20_000;

export interface Fault {
  /** Makes the fault, and resolves when it has lasted long enough. */
  strike(): Promise<void>;
  heal(): Promise<void>;
  /** What goes on while it lasts: nothing, or the use of keys, which only reads. */
  readonly leaves: 'nothing' | 'use of keys';
  /** What `/readyz` must be seen to answer while it lasts. */
  readonly readyz: 200 | 503;
}

/**
 * Lets a service under load live through a fault of its database, and expects what holds of every fault: calls end in
 * time, as 503 or done; the process lives, says that it is not ready, and recovers by itself; every promise is kept.
 */
export async function rideOut(kms: KmsOnPostgres, sql: Sql, fault: Fault): Promise<Ledger> {
  const health = watchHealth(kms.baseUrl());
  const key = await kms.call({ method: 'POST', path: '/kms/v1/keys', body: {} });
  const path = `/kms/v1/keys/${String(key.body['keyId'])}/encrypt`;
  const use = () => kms.call({ method: 'POST', path, body: { plaintext: '' } });
  const load = startRecordedLoad(kms);
  const { ledger } = load;
  record(ledger, key);
  const refused = () => ledger.attempts.filter(({ status }) => status === 503).length;
  const patiently = { timeout: PATIENCE_MS, interval: 25 };
  await expect.poll(() => ledger.keys.size, patiently).toBeGreaterThan(20);

  await fault.strike();
  await expect.poll(refused, patiently).toBeGreaterThan(5);
  await expect.poll(() => health.readyz.at(-1)?.status, patiently).toBe(fault.readyz);
  // The call that meets the end of its session is refused, too; with a new one keys are used again.
  if (fault.leaves === 'use of keys') await expect.poll(async () => (await use()).status, patiently).toBe(200);
  else expectUnavailable(await use());

  await fault.heal();
  await expect.poll(() => health.readyz.at(-1)?.status, patiently).toBe(200);
  const before = ledger.keys.size;
  await expect.poll(() => ledger.keys.size, patiently).toBeGreaterThan(before + 20);
  await load.finish();
  await health.stop();

  const limitMs = kms.timeoutMs + SLACK_MS;
  // What took too long, by what came of it.
  expect([...ledger.attempts, ...health.readyz].filter(({ durationMs }) => durationMs > limitMs)).toEqual([]);
  expect(health.livez.filter(({ status, durationMs }) => status !== 200 || durationMs > SLACK_MS)).toEqual([]);
  expect(ledger.attempts.filter(({ status }) => status === 'connection lost')).toEqual([]);
  // Nothing of this is a fault of the service.
  expect(
    kms
      .logs()
      .split('\n')
      .filter((line) => /"level":"(?:error|fatal)"/.test(line)),
  ).toEqual([]);
  await expectKeptPromises(kms, ledger, sql);
  return ledger;
}
