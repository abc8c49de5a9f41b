import type { EvidenceReport } from '@qnsp/kms-audit';
import type { Kms } from '@qnsp/kms-core';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { observeCaches } from './cache-metrics.ts';
import type { Caches } from './caches.ts';

/** The metrics of the service, in the text format of Prometheus. */
export interface Metrics {
  observe(operation: string, status: number, durationMs: number): void;
  observeEvidence(report: EvidenceReport): void;
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
  const waiting = new Gauge({
    name: 'kms_evidence_waiting_events',
    help: 'Events of evidence that are not sealed, or not delivered.',
    labelNames: ['for'],
    registers: [registry],
  });
  const refused = new Gauge({
    name: 'kms_evidence_refused_batches',
    help: 'Batches of evidence that the audit service refused for ever. Anything above 0 needs somebody.',
    registers: [registry],
  });
  const failures = new Counter({
    name: 'kms_evidence_failures_total',
    help: 'Turns of the work on evidence that failed, and deliveries that were postponed.',
    labelNames: ['work'],
    registers: [registry],
  });
  // Operations and statuses are few, and finding a series by its labels costs more than counting.
  const series = new Map<
    string,
    { readonly count: Counter.Internal; readonly time: Histogram.Internal<'operation'> }
  >();
  return {
    observeEvidence: (report) => {
      if (report.kind === 'backlog') {
        waiting.set({ for: 'seal' }, report.backlog.unsealed);
        waiting.set({ for: 'delivery' }, report.backlog.undelivered);
        refused.set(report.backlog.refused);
      } else if (report.kind === 'postponed') failures.inc({ work: 'deliver' });
      else if (report.kind === 'failed') failures.inc({ work: report.work });
    },
    observe: (operation, status, durationMs) => {
      const name = `${operation} ${status}`;
      let one = series.get(name);
      if (one === undefined) {
        one = { count: requests.labels(operation, String(status)), time: duration.labels(operation) };
        series.set(name, one);
      }
      one.count.inc();
      one.time.observe(durationMs / 1000);
    },
    text: () => registry.metrics(),
  };
}
