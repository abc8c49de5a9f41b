import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createDatabase, lostTime, type Service, startService } from '@qnsp/test-harness';
import { expect, onTestFinished, test } from 'vitest';
import { send } from './local-service.ts';

const PLATFORM = `qnsp_pqc_${randomBytes(32).toString('base64url')}`;
const RATE = 100;
const WINDOW_MS = 10_000;
/** From a change of the load until the nodes know of it; a node that dies without notice counts for a few turns more. */
const SETTLING_MS = 3000;
const MOURNING_MS = 8000;

/** Calls a node so often in a second, whatever it answers, until it is stopped; counts what it lets through. */
function loadOn(node: Service, token: string, perSecond: number) {
  let admitted = 0;
  const running = { on: true };
  const call = async () => {
    try {
      const { status } = await send(`${node.baseUrl}/kms/v1/random?bytes=16`, 'GET', token);
      if (status === 200) admitted += 1;
      else expect(status).toBe(429);
    } catch (error) {
      // The node was killed.
      if (running.on) throw error;
    }
  };
  const calls: Promise<void>[] = [];
  const timer = setInterval(() => calls.push(call()), 1000 / perSecond);
  return {
    count: () => admitted,
    stop: async () => {
      running.on = false;
      clearInterval(timer);
      await Promise.all(calls);
    },
  };
}

test('three nodes keep the limit of a tenant to within a tenth over 10 s, wherever its calls fall, and as nodes come and go', {
  timeout: 600_000,
}, async () => {
  const database = await createDatabase();
  const env = {
    DATABASE_URL: database.url,
    KMS_PLATFORM_TOKEN: PLATFORM,
    KMS_ROOT_KEY: randomBytes(32).toString('base64'),
    KMS_LIMIT_TENANT_UNITS_PER_SECOND: String(RATE),
    KMS_LIMIT_TENANT_BURST: '20',
  };
  const nodes = await Promise.all([1, 2, 3].map(() => startService({ env })));
  onTestFinished(async () => {
    await Promise.all(nodes.map((node) => node.stop()));
    await database.drop();
  });
  const [first, second, third] = nodes;
  if (first === undefined || second === undefined || third === undefined) throw new Error('a node is missing');
  const make = (path: string, body: object, headers = {}) =>
    send(`${first.baseUrl}${path}`, 'POST', PLATFORM, body, headers);
  const tenantId = String((await make('/kms/v1/tenants', { name: 'acme' })).body['tenantId']);
  const admin = { name: 'admin', role: 'tenant_admin' };
  const token = String((await make('/kms/v1/tokens', admin, { 'x-qnsp-tenant': tenantId })).body['token']);
  const measured = async (load: readonly (readonly [Service, number])[], settlingMs: number) => {
    const lost = load.map(([node]) => lostTime(node.child.pid));
    const loads = load.map(([node, perSecond]) => loadOn(node, token, perSecond));
    await sleep(settlingMs);
    const before = loads.reduce((sum, { count }) => sum + count(), 0);
    const startedAt = performance.now();
    await sleep(WINDOW_MS);
    const taken = loads.reduce((sum, { count }) => sum + count(), 0) - before;
    const seconds = (performance.now() - startedAt) / 1000;
    // Each node has its part of the limit, and can use it only while it runs.
    const lostShare = lost.reduce((sum, ofNode) => sum + ofNode(), 0) / lost.length / WINDOW_MS;
    await Promise.all(loads.map(({ stop }) => stop()));
    return { share: taken / (RATE * seconds), lostShare };
  };
  const exactly = ({ share, lostShare }: Awaited<ReturnType<typeof measured>>, what: string) => {
    const [taken, lost] = [share, lostShare].map((each) => (100 * each).toFixed(1));
    process.stderr.write(`${what}: ${taken} % of the limit, and ${lost} % of the time lost\n`);
    expect(share, what).toBeGreaterThan(0.9 - lostShare);
    expect(share, what).toBeLessThan(1.1 + lostShare);
  };

  exactly(
    await measured(
      [
        [first, 80],
        [second, 80],
        [third, 80],
      ],
      SETTLING_MS,
    ),
    'evenly',
  );
  exactly(
    await measured(
      [
        [first, 150],
        [second, 30],
        [third, 10],
      ],
      SETTLING_MS,
    ),
    'unevenly',
  );
  exactly(await measured([[third, 150]], SETTLING_MS), 'on one node');
  first.child.kill('SIGKILL');
  exactly(
    await measured(
      [
        [second, 80],
        [third, 80],
      ],
      MOURNING_MS,
    ),
    'after a node died',
  );
  const joined = await startService({ env });
  nodes.push(joined);
  exactly(
    await measured(
      [
        [second, 60],
        [third, 60],
        [joined, 60],
      ],
      SETTLING_MS,
    ),
    'after a node joined',
  );
});
