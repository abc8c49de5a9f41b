import { type PostgresServer, startPostgres } from '@qnsp/test-harness';
import type { Sql } from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Answer } from '../local-service.ts';
import { type AimedChange, CHANGES, expectUseToFollow } from './changes.ts';
import { expectSoundRows, openAdminSession } from './database-invariants.ts';
import { type KmsOnPostgres, startKms } from './kms-on-postgres.ts';
import { type PostgresProxy, startPostgresProxy, type WireMessage } from './postgres-proxy.ts';

/** One of each kind of unit: the others differ from these in what they write, not in their steps. */
const KILLED = [
  'createKey',
  'rotateKey',
  'revokeKey',
  'destroyKey',
  'shredKey',
  'createToken',
  'rotateToken',
  'createTenant',
  'rotateMasterKey',
  'shredTenant',
] as const satisfies readonly (keyof typeof CHANGES)[];

let server: PostgresServer;
let proxy: PostgresProxy;
let kms: KmsOnPostgres;
let sql: Sql;
const stoppedOf = new Map<string, readonly Stopped[]>();

/** One kill for all of them: what is asserted of each follows below. */
beforeAll(async () => {
  server = await startPostgres({ settings: { max_connections: '300' } });
  proxy = await startPostgresProxy(server.url);
  kms = await startKms({
    databaseUrl: proxy.url,
    // Longer than it takes to bring every call to its step.
    timeoutMs: 300_000,
    // Each call that stands still holds a connection, and nothing else is on its way through the proxy.
    env: { DATABASE_POOL_MAX: '250', KMS_JOB_INTERVAL_MS: '3600000' },
  });
  sql = openAdminSession(server.url);
  for (const name of KILLED) {
    const aim = CHANGES[name];
    // The first such call of a process reads what those after it find in memory.
    await expectDone(await aim(kms));
    stoppedOf.set(name, await stopAtEveryStep(() => aim(kms)));
  }
  await kms.kill9();
  await kms.start();
});
afterAll(async () => {
  await sql.end({ timeout: 1 });
  await kms.stop();
  await proxy.stop();
  await server.stop();
});

/** A statement that PostgreSQL has not run yet, or one whose end the service has not seen yet. */
function isStep({ from, type, ofNotices }: WireMessage): boolean {
  if (ofNotices) return false;
  return from === 'service' ? type === 'Q' || type === 'E' : type === 'Z';
}

/** Holds the connection at the step of this number. The promise resolves when it stands there. */
function holdAtStep(number: number): Promise<'held'> {
  let steps = 0;
  return new Promise((resolve) => {
    proxy.decide = (message) => {
      if (!isStep(message)) return 'pass';
      steps += 1;
      if (steps !== number) return 'pass';
      resolve('held');
      return 'hold';
    };
  });
}

type Ending = Answer | 'connection lost';

interface Stopped {
  readonly change: AimedChange;
  readonly ending: Promise<Ending>;
}

/**
 * Sends one such change after the other and lets each come only to its step: the first to before its first statement,
 * the last to its end.
 */
async function stopAtEveryStep(aim: () => Promise<AimedChange>): Promise<readonly Stopped[]> {
  const stopped: Stopped[] = [];
  for (;;) {
    const change = await aim();
    const held = holdAtStep(stopped.length + 1);
    const ending = change.send().catch((error: unknown): Ending => {
      // What fetch says when the service is gone.
      if (error instanceof TypeError) return 'connection lost';
      throw error;
    });
    stopped.push({ change, ending });
    const stands = (await Promise.race([held, ending])) === 'held';
    proxy.decide = () => 'pass';
    if (!stands) return stopped;
  }
}

test.each(KILLED)('the service is killed at every step: %s', async (name) => {
  const stopped = stoppedOf.get(name) ?? [];
  const endings = await Promise.all(stopped.map(({ ending }) => ending));
  // The token, BEGIN, the claim, the change, the answer and COMMIT are at least six statements and six ends of them.
  expect(endings.length).toBeGreaterThan(12);
  expect(endings.slice(0, -1)).toEqual(Array(endings.length - 1).fill('connection lost'));
  expect(endings.at(-1)).not.toBe('connection lost');
  await expectSoundRows(sql);
  const changes = stopped.map(({ change }) => change);
  const effects = await Promise.all(changes.map((change) => change.effects(sql)));
  // Up to COMMIT nothing, and from its end on, which PostgreSQL has run and the service has not seen, all of it.
  expect(effects).toEqual(effects.toSorted((a, b) => a - b));
  expect(new Set(effects)).toEqual(new Set([0, 1]));
  expect(effects.slice(-2)).toEqual([1, 1]);
  for (const [index, change] of changes.entries()) {
    await expectUseToFollow(change, effects[index] ?? 0);
    await expectDone(change);
    await expectUseToFollow(change, 1);
  }
  expect(await Promise.all(changes.map((change) => change.effects(sql)))).toEqual(changes.map(() => 1));
  await expectSoundRows(sql);
});

async function expectDone(change: AimedChange): Promise<void> {
  const { status, body } = await change.send();
  // The secret of a token is shown once: a repeated call names the token that was made.
  const isNamed = status === 409 && (body['details'] as { tokenId?: string } | undefined)?.tokenId !== undefined;
  if (!isNamed) expect(status).toBeLessThan(300);
}
