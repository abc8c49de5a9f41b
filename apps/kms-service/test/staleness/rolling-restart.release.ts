import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type EdgeGateway, type Service, startEdgeGateway, startService } from '@qnsp/test-harness';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { type Answer, send } from '../local-service.ts';
import { type Fleet, startFleet } from './fleet.ts';

const DATA = Buffer.from('data').toString('base64');
const DRAIN_DELAY_MS = 1000;
/** Each node is restarted so often, right after the one before. */
const ROUNDS = 2;

let fleet: Fleet;
let gateway: EdgeGateway;
const replaced: Service[] = [];

beforeAll(async () => {
  fleet = await startFleet(3, { DATABASE_TIMEOUT_MS: '5000', KMS_DRAIN_DELAY_MS: String(DRAIN_DELAY_MS) });
  gateway = await startEdgeGateway({ upstreams: fleet.nodes.map(({ service }) => service.port) });
}, 600_000);
afterAll(async () => {
  await Promise.all(replaced.map((service) => service.stop()));
  await gateway.server.stop();
  await fleet.end();
});

test('nodes that restart one right after the other lose no request', { timeout: 600_000 }, async () => {
  const path = await fleet.createKey();
  const call = (method: string, to: string, body?: object, headers: Record<string, string> = {}) =>
    send(`${gateway.baseUrl}${to}`, method, fleet.token, body, headers);
  const kinds: readonly (readonly [name: string, request: () => Promise<Answer>])[] = [
    ['read', () => call('GET', path)],
    ['change once', () => call('POST', '/kms/v1/keys', {}, { 'idempotency-key': randomUUID() })],
    // The gateway may not send it again once it has reached a node: it would be lost if a node ended with it.
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
  const total = () => [...served.values()].reduce((sum, count) => sum + count, 0);
  await expect.poll(total, { timeout: 30_000 }).toBeGreaterThan(100);
  let nodes = fleet.nodes.map(({ service }) => service);
  for (let round = 0; round < ROUNDS; round += 1) {
    const next: Service[] = [];
    for (const service of nodes) {
      const stopped = performance.now();
      const stop = service.stop();
      // Whoever asks for readiness hears of it while the node serves all the same.
      await expect.poll(async () => (await fetch(`${service.baseUrl}/readyz`)).status, { interval: 20 }).toBe(503);
      await stop;
      expect(performance.now() - stopped).toBeGreaterThan(DRAIN_DELAY_MS);
      const started = await startService({ env: { ...service.env, PORT: String(service.port) } });
      next.push(started);
      replaced.push(started);
    }
    nodes = next;
  }
  stopping.abort();
  await Promise.all(clients);
  process.stdout.write(`served while each node restarted: ${JSON.stringify(Object.fromEntries(served))}\n`);
  expect(unserved, gateway.server.logs()).toEqual([]);
});
