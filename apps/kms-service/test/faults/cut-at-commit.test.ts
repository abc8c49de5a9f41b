import { ALL_ROUTES } from '@qnsp/kms-contract';
import { createDatabase, type TestDatabase } from '@qnsp/test-harness';
import type { Sql } from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CHANGES, expectUseToFollow } from './changes.ts';
import { expectSoundRows, openAdminSession } from './database-invariants.ts';
import { expectUnavailable } from './expect-unavailable.ts';
import { type KmsOnPostgres, startKms } from './kms-on-postgres.ts';
import { type PostgresProxy, startPostgresProxy, type WireMessage } from './postgres-proxy.ts';

let database: TestDatabase;
let proxy: PostgresProxy;
let kms: KmsOnPostgres;
let sql: Sql;

beforeAll(async () => {
  database = await createDatabase();
  proxy = await startPostgresProxy(database.url);
  // Nothing but the calls of the test is on its way through the proxy.
  kms = await startKms({ databaseUrl: proxy.url, timeoutMs: 10_000, env: { KMS_JOB_INTERVAL_MS: '3600000' } });
  sql = openAdminSession(database.url);
});
afterAll(async () => {
  await sql.end({ timeout: 1 });
  await kms.stop();
  await proxy.stop();
  await database.drop();
});

/** How many units of work an operation has that only read, before the one that changes something. */
const READS_BEFORE: Readonly<Record<string, number>> = {
  // The roots, under which an HSM wraps the new master key while no unit is open.
  createTenant: 1,
  // Beside them the record of the tenant, which may ask for approvals.
  rotateMasterKey: 2,
  updateTenant: 1,
  decideApproval: 1,
  // The record of the tenant, with the limits of its new creator.
  createToken: 1,
};

/** Cuts the connection at the first such message, after so many that are let through. Answers how often that has happened. */
function cutOnce(at: (message: WireMessage) => boolean, letThrough = 0): () => number {
  let cuts = 0;
  let seen = 0;
  proxy.decide = (message) => {
    if (cuts > 0 || !at(message)) return 'pass';
    seen += 1;
    if (seen <= letThrough) return 'pass';
    cuts += 1;
    return 'cut';
  };
  return () => cuts;
}

const COMMIT = (message: WireMessage) =>
  message.from === 'service' && message.type === 'Q' && message.text.endsWith('commit');
const COMMITTED = (message: WireMessage) =>
  message.from === 'postgres' && message.type === 'C' && message.text === 'COMMIT';

test('every mutating operation of the contract is cut, and none beside', () => {
  const mutating = ALL_ROUTES.filter((route) => route.mutating && route.auth === 'bearer');
  expect(Object.keys(CHANGES).sort()).toEqual(mutating.map((route) => route.operationId).sort());
});

describe.each([
  { when: 'before COMMIT', at: COMMIT, left: 0 },
  { when: 'after COMMIT and before its answer', at: COMMITTED, left: 1 },
])('the connection is cut $when', ({ at, left }) => {
  test.each(Object.entries(CHANGES))(
    '%s: what it did is looked up, and the same Idempotency-Key runs it once',
    async (name, aim) => {
      // The service knows the master keys of those who call; otherwise the first COMMIT would end that read.
      await (await aim(kms)).send();
      const change = await aim(kms);
      const cuts = cutOnce(at, READS_BEFORE[name]);
      const started = performance.now();
      const answer = await change.send();
      if (left === 0) expectUnavailable(answer);
      else expect(answer.status).toBeLessThan(300);
      expect(performance.now() - started).toBeLessThan(kms.timeoutMs);
      expect(cuts()).toBe(1);
      expect(await change.effects(sql)).toBe(left);
      await expectUseToFollow(change, left);

      const first = left === 0 ? await change.send() : answer;
      expect(first.status).toBeLessThan(300);
      expect(await change.effects(sql)).toBe(1);
      const again = await change.send();
      // A secret is shown once: a repeat names the token.
      if (name === 'createToken' || name === 'rotateToken')
        expect(again).toMatchObject({ status: 409, body: { details: { tokenId: first.body['tokenId'] } } });
      else expect(again.body).toEqual(first.body);
      expect(await change.effects(sql)).toBe(1);
      await expectUseToFollow(change, 1);
      await expectSoundRows(sql);
    },
  );
});
