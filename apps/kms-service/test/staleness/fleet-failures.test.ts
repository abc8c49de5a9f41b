import { setTimeout as sleep } from 'node:timers/promises';
import { startService } from '@qnsp/test-harness';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { send } from '../local-service.ts';
import { type Fleet, startFleet } from './fleet.ts';

const DATA = Buffer.from('data').toString('base64');
const ENCRYPT = { plaintext: DATA };
/** What a gateway may send again to another node: nothing was done. */
const TRY_ANOTHER: ReadonlySet<number> = new Set([502, 503]);

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
    const encrypt = () => fleet.call(0, 'POST', path, ENCRYPT);
    for (let time = 0; time < 5; time += 1) expect((await encrypt()).status).toBe(200);
    const lostAt = performance.now();
    node?.database.stall();
    let lastSuccess = 0;
    let answer = await encrypt();
    while (answer.status === 200) {
      lastSuccess = performance.now() - lostAt;
      answer = await encrypt();
    }
    expect(answer).toMatchObject({ status: 503, body: { code: 'STORE_UNAVAILABLE' } });
    expect(answer.headers.get('retry-after')).toBe('1');
    // Both: a hot key needs no database, and not for long.
    expect(lastSuccess).toBeGreaterThan(200);
    expect(lastSuccess).toBeLessThan(1000);
    expect((await fleet.call(0, 'GET', '/health')).body).toMatchObject({ checks: { cache: { status: 'degraded' } } });
    node?.database.cut();
    node?.database.resume();
    await expect.poll(async () => (await encrypt()).status, { timeout: 15_000 }).toBe(200);
    await expect
      .poll(async () => (await fleet.call(0, 'GET', '/health')).body['status'], { timeout: 15_000 })
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

test('a rolling restart loses no request that a gateway may send to another node', { timeout: 90_000 }, async () => {
  const path = `${await fleet.createKey()}/encrypt`;
  const stopping = new AbortController();
  const urls = fleet.nodes.map(({ service }) => `${service.baseUrl}${path}`);
  const unserved: unknown[] = [];
  let served = 0;

  const serveOne = async (first: number): Promise<void> => {
    let last: unknown;
    for (let attempt = 0; attempt < urls.length; attempt += 1) {
      // A gateway opens a connection for what it sends again; one that was kept open may end in the same moment.
      last = await send(urls[(first + attempt) % urls.length] ?? '', 'POST', fleet.token, ENCRYPT, {
        connection: 'close',
      }).catch((error: unknown) => error);
      if (last instanceof Error) continue;
      const { status } = last as { readonly status: number };
      if (TRY_ANOTHER.has(status)) continue;
      if (status === 200) served += 1;
      else unserved.push(last);
      return;
    }
    unserved.push(last);
  };
  const clients = Array.from({ length: 6 }, async (_, client) => {
    for (let turn = client; !stopping.signal.aborted; turn += 1) {
      await serveOne(turn);
      await sleep(5);
    }
  });

  const replaced = [];
  for (const { service } of fleet.nodes) {
    const before = served;
    await service.stop();
    replaced.push(await startService({ env: { ...service.env, PORT: String(service.port) } }));
    await expect.poll(() => served, { timeout: 15_000 }).toBeGreaterThan(before + 20);
  }
  stopping.abort();
  await Promise.all(clients);
  await Promise.all(replaced.map((service) => service.stop()));
  expect(unserved).toEqual([]);
  expect(served).toBeGreaterThan(100);
});
