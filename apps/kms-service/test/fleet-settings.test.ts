import { createDatabase, type Service, startService, type TestDatabase } from '@qnsp/test-harness';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openAdminSession } from './faults/database-invariants.ts';
import { evidenceEnv, type Receiver, startReceiver } from './evidence-sample.ts';

let database: TestDatabase;
let receiver: Receiver;
let withEvidence: Record<string, string>;
const running: Service[] = [];
beforeAll(async () => {
  [database, receiver] = await Promise.all([createDatabase(), startReceiver()]);
  withEvidence = evidenceEnv(receiver.url);
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((service) => service.stop()));
});
afterAll(async () => {
  await receiver.close();
  await database.drop();
});

const BASE = { KMS_ROOT_KEY: Buffer.alloc(32, 7).toString('base64'), KMS_JOB_INTERVAL_MS: '200' };

async function start(env: Readonly<Record<string, string>>): Promise<Service> {
  const service = await startService({ env: { ...BASE, DATABASE_URL: database.url, ...env } });
  running.push(service);
  return service;
}

async function fleetOf(service: Service): Promise<{ status: string; message?: string }> {
  const answer = await fetch(`${service.baseUrl}/health`);
  const { checks } = (await answer.json()) as { checks: { fleet: { status: string; message?: string } } };
  return checks.fleet;
}

describe('nodes of one database', () => {
  test('that agree say so', async () => {
    const [first, second] = [await start({}), await start({})];
    expect([await fleetOf(first), await fleetOf(second)]).toEqual([{ status: 'ok' }, { status: 'ok' }]);
  });

  test('do not keep evidence beside one that keeps none, nor the other way round', async () => {
    const keeper = await start(withEvidence);
    await expect(start({})).rejects.toThrow(/KMS_EVIDENCE_ENABLED: is false here and true on a running node/);
    expect(await fleetOf(keeper)).toEqual({ status: 'ok' });
    await keeper.stop();
    running.length = 0;
    await start({});
    await expect(start(withEvidence)).rejects.toThrow(/is true here and false on a running node/);
  });

  test('may differ in it while an operator changes it in all of them, and both say that they do', async () => {
    const before = await start(withEvidence);
    const after = await start({ KMS_FLEET_CHANGE: 'KMS_EVIDENCE_ENABLED' });
    expect(await fleetOf(after)).toMatchObject({
      status: 'degraded',
      message: expect.stringContaining('KMS_EVIDENCE_ENABLED'),
    });
    await expect.poll(() => fleetOf(before)).toMatchObject({ status: 'degraded' });
    await before.stop();
    running.splice(running.indexOf(before), 1);
    await expect.poll(() => fleetOf(after)).toEqual({ status: 'ok' });
  });

  test('may have another default algorithm, and say so', async () => {
    const usual = await start({});
    const unusual = await start({ KMS_ALGORITHM: 'ML-DSA-65' });
    expect(await fleetOf(unusual)).toEqual({
      status: 'degraded',
      message: 'KMS_ALGORITHM is dilithium-3 here and aes-256-gcm on another node',
    });
    await expect.poll(() => fleetOf(usual)).toMatchObject({ status: 'degraded' });
  });

  test('that counted as gone are counted again when they come back', async () => {
    await start(withEvidence);
    const sql = openAdminSession(database.url);
    const left = () => sql`select node_id from kms.fleet_nodes`;
    const before = await left();
    expect(before).toHaveLength(1);
    await sql`delete from kms.fleet_nodes`;
    await expect.poll(left, { timeout: 10_000 }).toEqual(before);
    await sql.end({ timeout: 1 });
    await expect(start({})).rejects.toThrow('KMS_EVIDENCE_ENABLED');
  });

  test('are gone for the others a while after they were killed', async () => {
    const killed = await start(withEvidence);
    await killed.kill9();
    running.length = 0;
    await expect(start({})).rejects.toThrow('KMS_EVIDENCE_ENABLED');
    await expect
      .poll(
        () =>
          start({}).then(
            () => 'started',
            () => 'refused',
          ),
        { timeout: 20_000, interval: 1000 },
      )
      .toBe('started');
  });
});
