import type { Kms } from '@qnsp/kms-core';
import { collectDefaultMetrics, Counter, Histogram, Registry } from 'prom-client';
import { observeCaches } from './cache-metrics.ts';
import type { Caches } from './caches.ts';

/** The metrics of the service, in the text format of Prometheus. */
export interface Metrics {
  observe(operation: string, status: number, durationMs: number): void;
  text(): Promise<string>;
}

/** Counts requests by operation and status, times them, and reads what Node and the caches know. */
export function makeMetrics(kms: Pick<Kms, 'keyRing' | 'tokens'>, caches: Caches): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  observeCaches(registry, kms, caches);
  const requests = new Counter({
    name: 'kms_operations_total',
    help: 'Requests by operation and status.',
    labelNames: ['operation', 'status'],
    registers: [registry],
  });
  const duration = new Histogram({
    name: 'kms_operation_seconds',
    help: 'How long requests took.',
    labelNames: ['operation'],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  });
  return {
    observe: (operation, status, durationMs) => {
      requests.inc({ operation, status });
      duration.observe({ operation }, durationMs / 1000);
    },
    text: () => registry.metrics(),
  };
}
