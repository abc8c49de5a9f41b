import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type EdgeGateway, type Service, startEdgeGateway, startService } from '@qnsp/test-harness';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { type Answer, send } from '../local-service.ts';
import { type Fleet, startFleet } from './fleet.ts';

const DATA = Buffer.from('data').toString('base64');

let fleet: Fleet;
let gateway: EdgeGateway;
const replaced: Service[] = [];

beforeAll(async () => {
  fleet = await startFleet(3, { DATABASE_TIMEOUT_MS: '5000' });
  gateway = await startEdgeGateway({ upstreams: fleet.nodes.map(({ service }) => service.port) });
}, 120_000);
afterAll(async () => {
  await Promise.all(replaced.map((service) => service.stop()));
  await gateway.server.stop();
  await fleet.end();
});

test('a rolling restart loses no request that the gateway may send to another node', { timeout: 240_000 }, async () => {
  const path = await fleet.createKey();
  const call = (method: string, to: string, body?: object, headers: Record<string, string> = {}) =>
    send(`${gateway.baseUrl}${to}`, method, fleet.token, body, headers);
  const kinds: readonly (readonly [name: string, request: () => Promise<Answer>])[] = [
    ['read', () => call('GET', path)],
    ['change once', () => call('POST', '/kms/v1/keys', {}, { 'idempotency-key': randomUUID() })],
    // The gateway may not send it again once it has reached a node: it is lost when a node ends with it.
    ['encrypt', () => call('POST', `${path}/encrypt`, { plaintext: DATA })],
  ];
  const stopping = new AbortController();
  const served = new Map<string, number>(kinds.map(([name]) => [name, 0]));
  const unserved: { readonly name: string; readonly status: number; readonly body: unknown }[] = [];
  const clients = kinds.flatMap(([name, request]) =>
    Array.from({ length: 2 }, async () => {
      while (!stopping.signal.aborted) {
        const answer = await request();
        if (answer.status === 200 || answer.status === 201) served.set(name, (served.get(name) ?? 0) + 1);
        else unserved.push({ name, status: answer.status, body: answer.body });
        await sleep(5);
      }
    }),
  );
  const least = () => Math.min(...served.values());
  for (const { service } of fleet.nodes) {
    const before = least();
    await expect.poll(least, { timeout: 30_000 }).toBeGreaterThan(before + 20);
    await service.stop();
    replaced.push(await startService({ env: { ...service.env, PORT: String(service.port) } }));
  }
  stopping.abort();
  await Promise.all(clients);
  const lost = unserved.filter(({ name }) => name === 'encrypt');
  process.stdout.write(
    `served while each node restarted: ${JSON.stringify(Object.fromEntries(served))}, lost encrypts: ${lost.length}\n`,
  );
  expect(
    unserved.filter(({ name }) => name !== 'encrypt'),
    gateway.server.logs(),
  ).toEqual([]);
  // A connection that ends under the request; nobody is sent to a node that does not serve yet, or not any more.
  expect(lost.filter(({ status }) => status !== 502)).toEqual([]);
});
