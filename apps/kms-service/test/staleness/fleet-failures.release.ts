import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lostTime } from '@qnsp/test-harness';
import { asked } from './asked.ts';
import { type Fleet, startFleet } from './fleet.ts';

const DATA = Buffer.from('data').toString('base64');
const ENCRYPT = { plaintext: DATA };

let fleet: Fleet;

beforeAll(async () => {
  fleet = await startFleet(3);
});
afterAll(async () => {
  await fleet.end();
});

describe('a node that loses its database', () => {
  test('goes on with hot keys for less than a second, then refuses, and comes back by itself', async () => {
    const path = `${await fleet.createKey()}/encrypt`;
    const [node] = fleet.nodes;
    if (node === undefined) throw new Error('there are nodes');
    const encrypt = () => fleet.call(0, 'POST', path, ENCRYPT);
    const lost = lostTime(node.service.child.pid);
    for (let time = 0; time < 5; time += 1) expect((await encrypt()).status).toBe(200);
    const lostAt = performance.now();
    node.database.stall();
    let lastSuccess = 0;
    let { answer, answeredAt } = await asked(node.service, encrypt);
    while (answer.status === 200) {
      lastSuccess = answeredAt - lostAt;
      ({ answer, answeredAt } = await asked(node.service, encrypt));
    }
    const lostMs = lost();
    expect(answer).toMatchObject({ status: 503, body: { code: 'STORE_UNAVAILABLE' } });
    expect(answer.headers.get('retry-after')).toBe('1');
    // Both: a hot key needs no database, and not for long.
    expect(lastSuccess).toBeGreaterThan(200 - lostMs);
    expect(lastSuccess).toBeLessThan(1000);
    expect((await fleet.call(0, 'GET', '/health')).body).toMatchObject({ checks: { cache: { status: 'degraded' } } });
    node.database.cut();
    node.database.resume();
    await expect.poll(async () => (await encrypt()).status, { timeout: 60_000 }).toBe(200);
    await expect
      .poll(async () => (await fleet.call(0, 'GET', '/health')).body['status'], { timeout: 60_000 })
      .toBe('ok');
  });
});

describe('a node without notices', () => {
  test('serves everything from the database', async () => {
    const path = `${await fleet.createKey()}/encrypt`;
    fleet.nodes[1]?.database.stall((firstBytes) => firstBytes.includes('qnsp-kms-notices'));
    await sleep(1000);
    for (let time = 0; time < 20; time += 1) expect((await fleet.call(1, 'POST', path, ENCRYPT)).status).toBe(200);
    expect((await fleet.call(1, 'GET', '/readyz')).body).toMatchObject({
      status: 'degraded',
      checks: { cache: { status: 'degraded' }, store: { status: 'ok' } },
    });
    fleet.nodes[1]?.database.resume();
  });
});
