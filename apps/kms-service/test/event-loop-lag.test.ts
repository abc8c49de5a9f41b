import { setTimeout as sleep } from 'node:timers/promises';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { NO_LOOKING_MS, observeEventLoopLag } from '../src/event-loop-lag.ts';

const HELD_MS = 60;
const names = async (registry: Registry) => (await registry.getMetricsAsJSON()).map(({ name }) => name).toSorted();

async function value(registry: Registry, name: string): Promise<number> {
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(await registry.metrics())?.[1]);
}

test('the metrics have the names that prom-client gives them', async () => {
  const usual = new Registry();
  collectDefaultMetrics({ register: usual });
  const ours = new Registry();
  collectDefaultMetrics({ register: ours, eventLoopMonitoringPrecision: NO_LOOKING_MS });
  observeEventLoopLag(ours);
  expect(await names(ours)).toEqual(await names(usual));
});

test('a turn that took long is seen once, in seconds', async () => {
  const registry = new Registry();
  observeEventLoopLag(registry);
  await sleep(1);
  const end = performance.now() + HELD_MS;
  while (performance.now() < end);
  await sleep(1);
  const longest = await value(registry, 'nodejs_eventloop_lag_max_seconds');
  expect(longest).toBeGreaterThan(HELD_MS / 1000);
  expect(longest).toBeLessThan(60);
  await sleep(1);
  expect(await value(registry, 'nodejs_eventloop_lag_max_seconds')).not.toBe(longest);
});
