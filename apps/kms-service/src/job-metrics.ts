import type { JobCounts, Jobs } from '@qnsp/kms-core/ports';
import { Gauge, type Registry } from 'prom-client';
import { publishCounter, type Sample } from './published-counter.ts';

/** Publishes what slow work waits and runs, read when it is asked for. */
export function observeJobs(registry: Registry, jobs: Jobs): void {
  const samples = (value: (counts: JobCounts) => number): Sample[] =>
    Object.entries(jobs.counts()).map(([kind, counts]) => ({ labels: { kind }, value: value(counts) }));
  const gauge = (name: string, help: string, value: (counts: JobCounts) => number) => {
    const metric: Gauge = new Gauge({
      name,
      help,
      labelNames: ['kind'],
      registers: [registry],
      collect: () => {
        for (const sample of samples(value)) metric.set(sample.labels, sample.value);
      },
    });
  };
  gauge('kms_jobs_waiting', 'Slow work that waits for its turn.', ({ waiting }) => waiting);
  gauge('kms_jobs_running', 'Slow work that runs.', ({ running }) => running);
  publishCounter(registry, 'kms_jobs_started_total', 'Slow work that has begun.', () =>
    samples(({ started }) => started),
  );
  publishCounter(
    registry,
    'kms_jobs_waited_seconds_total',
    'How long slow work that has begun had waited for its turn, in sum.',
    () => samples(({ waitedMs }) => waitedMs / 1000),
  );
}
