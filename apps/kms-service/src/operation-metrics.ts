import type { OperationName } from '@qnsp/kms-core';
import { Counter, type Histogram, type Registry } from 'prom-client';

/** The upper bounds of the histogram's buckets in seconds. */
const BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What is counted of one operation. */
class Times {
  /** How many took no longer than each bound and longer than the one before; the last are longer than all. */
  readonly buckets = new Float64Array(BOUNDS.length + 1);
  sum = 0;
  count = 0;

  add(seconds: number): void {
    let bucket = 0;
    while (bucket < BOUNDS.length && seconds > (BOUNDS[bucket] ?? Infinity)) bucket += 1;
    this.buckets[bucket] = (this.buckets[bucket] ?? 0) + 1;
    this.sum += seconds;
    this.count += 1;
  }
}

interface Series {
  readonly operation: OperationName;
  readonly status: number;
  readonly times: Times;
  count: number;
}

/**
 * Counts and times operations. On the way of a request this is two additions; the series of Prometheus are made out of the
 * numbers when somebody asks for them.
 */
export class OperationMetrics {
  readonly #series = new Map<OperationName, Map<number, Series>>();
  readonly #times = new Map<OperationName, Times>();

  constructor(registry: Registry) {
    const requests: Counter = new Counter({
      name: 'kms_operations_total',
      help: 'Requests by operation and status.',
      labelNames: ['operation', 'status'],
      registers: [registry],
      collect: () => {
        requests.reset();
        for (const { operation, status, count } of this.#all()) requests.inc({ operation, status }, count);
      },
    });
    const duration = {
      name: 'kms_operation_seconds',
      help: 'How long requests took.',
      type: 'histogram',
      aggregator: 'sum',
      get: async () => ({
        name: duration.name,
        help: duration.help,
        type: duration.type,
        aggregator: duration.aggregator,
        values: [...this.#times].flatMap(([operation, times]) => samplesOf(duration.name, operation, times)),
      }),
    };
    // All that a registry asks of a metric is its name and what `get` answers.
    registry.registerMetric(duration as unknown as Histogram);
  }

  observe(operation: OperationName, status: number, durationMs: number): void {
    const series = this.#series.get(operation)?.get(status) ?? this.#add(operation, status);
    series.count += 1;
    series.times.add(durationMs / 1000);
  }

  #add(operation: OperationName, status: number): Series {
    const times = this.#times.get(operation) ?? new Times();
    const byStatus = this.#series.get(operation) ?? new Map<number, Series>();
    const series = { operation, status, times, count: 0 };
    this.#times.set(operation, times);
    this.#series.set(operation, byStatus.set(status, series));
    return series;
  }

  *#all(): Generator<Series> {
    for (const byStatus of this.#series.values()) yield* byStatus.values();
  }
}

/** A histogram in the exposition format of Prometheus: its buckets count everything up to their bound. */
function samplesOf(name: string, operation: string, { buckets, sum, count }: Times) {
  let upTo = 0;
  return [
    ...BOUNDS.map((le, index) => {
      upTo += buckets[index] ?? 0;
      return { metricName: `${name}_bucket`, labels: { operation, le }, value: upTo };
    }),
    { metricName: `${name}_bucket`, labels: { operation, le: '+Inf' }, value: count },
    { metricName: `${name}_sum`, labels: { operation }, value: sum },
    { metricName: `${name}_count`, labels: { operation }, value: count },
  ];
}
