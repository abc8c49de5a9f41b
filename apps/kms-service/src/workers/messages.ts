import type { MetricObjectWithValues, MetricValue } from 'prom-client';

/** The metrics of one process, as prom-client adds them up. */
export type WorkerMetrics = readonly MetricObjectWithValues<MetricValue<string>>[];

/** What a worker tells the process that started it. */
export type ToPrimary =
  | { readonly kind: 'started' }
  /** Somebody asked this worker for the metrics of all. */
  | { readonly kind: 'metrics-wanted'; readonly id: number }
  /** Its own part. */
  | { readonly kind: 'metrics-part'; readonly id: number; readonly metrics: WorkerMetrics };

/** What a worker hears from it. */
export type ToWorker =
  | { readonly kind: 'metrics-part-wanted'; readonly id: number }
  | { readonly kind: 'metrics'; readonly id: number; readonly text: string };
