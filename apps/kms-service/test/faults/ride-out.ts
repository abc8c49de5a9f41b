import { expect } from 'vitest';
import { openAdminSession } from './database-invariants.ts';
import { expectUnavailable } from './expect-unavailable.ts';
import { watchHealth } from './health-watch.ts';
import { expectKeptPromises } from './kept-promises.ts';
import type { KmsOnPostgres } from './kms-on-postgres.ts';
import { emptyLedger, record, startRecordedLoad } from './recorded-load.ts';

/** A busy machine adds to what the service takes by its own clock. */
const SLACK_MS = 1500;
/** How many come into being before the fault, and after it, for it to count as load. */
const KEYS = 10;
const PATIENCE_MS = 20_000;
/** For a test that calls `rideOut`: it gives up by its own patience, step by step. */
export const RIDE = { timeout: 120_000 };

export interface Fault {
  /** Makes the fault, and resolves when it has lasted long enough. */
  strike(): Promise<void>;
  heal(): Promise<void>;
  /** What goes on while it lasts: nothing, or the use of keys, which only reads. */
  readonly leaves: 'nothing' | 'use of keys';
  /** What `/readyz` must be seen to answer while it lasts; either without it. */
  readonly readyz?: 200 | 503;
}

/**
 * Lets a service under load live through a fault of its database, and expects what holds of every fault: calls end in
 * time, as 503 or done; the process lives, says that it is not ready, and recovers by itself; every promise is kept.
 */
export async function rideOut(kms: KmsOnPostgres, databaseUrl: string, fault: Fault): Promise<void> {
  const health = watchHealth(kms.baseUrl());
  const key = await kms.call({ method: 'POST', path: '/kms/v1/keys', body: {} });
  const path = `/kms/v1/keys/${String(key.body['keyId'])}/encrypt`;
  const use = () => kms.call({ method: 'POST', path, body: { plaintext: '' } });
  const ledger = emptyLedger();
  const load = startRecordedLoad(kms, ledger);
  record(ledger, key);
  const refused = () => ledger.attempts.filter(({ status }) => status === 503).length;
  const patiently = { timeout: PATIENCE_MS, interval: 25 };
  await expect.poll(() => ledger.keys.size, patiently).toBeGreaterThan(KEYS);

  const struckAt = performance.now();
  await fault.strike();
  await expect.poll(refused, patiently).toBeGreaterThan(5);
  const seen = () => health.readyz.filter(({ askedAt }) => askedAt > struckAt).map(({ status }) => status);
  if (fault.readyz !== undefined) await expect.poll(seen, patiently).toContain(fault.readyz);
  // The call that meets the end of its session is refused, too; with a new one keys are used again.
  if (fault.leaves === 'use of keys') await expect.poll(async () => (await use()).status, patiently).toBe(200);
  else expectUnavailable(await use());

  await fault.heal();
  await expect.poll(() => health.readyz.at(-1)?.status, patiently).toBe(200);
  const before = ledger.keys.size;
  await expect.poll(() => ledger.keys.size, patiently).toBeGreaterThan(before + KEYS);
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
  // A session that saw the fault may still answer with it: postgres.js keeps the last error of a connection that ended.
  const sql = openAdminSession(databaseUrl);
  await expectKeptPromises(kms, ledger, sql);
  await sql.end();
}
