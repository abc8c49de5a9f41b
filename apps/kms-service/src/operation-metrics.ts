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
}

/** What a series of numbers is of. */
interface Labels extends Readonly<Record<string, string>> {
  readonly wire: string;
  readonly operation: OperationName;
}

interface Series {
  readonly labels: Labels;
  readonly status: number;
  readonly times: Times;
  count: number;
}

/** What is counted of one operation by one wire. */
interface Counted {
  readonly labels: Labels;
  readonly times: Times;
  readonly byStatus: Map<number, Series>;
}

/**
 * Counts and times operations. On the way of a request this is two additions; the series of Prometheus are made out of the
 * numbers when somebody asks for them.
 */
export class OperationMetrics {
  readonly #byWire = new Map<string, Map<OperationName, Counted>>();

  constructor(registry: Registry) {
    const requests: Counter = new Counter({
      name: 'kms_operations_total',
      help: 'Requests by wire, operation and status.',
      labelNames: ['wire', 'operation', 'status'],
      registers: [registry],
      collect: () => {
        requests.reset();
        for (const { byStatus } of this.#all())
          for (const { labels, status, count } of byStatus.values()) requests.inc({ ...labels, status }, count);
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
        values: [...this.#all()].flatMap(({ labels, times }) => samplesOf(duration.name, labels, times)),
      }),
    };
    // All that a registry asks of a metric is its name and what `get` answers.
    registry.registerMetric(duration as unknown as Histogram);
  }

  observe(wire: string, operation: OperationName, status: number, durationMs: number): void {
    const series =
      this.#byWire.get(wire)?.get(operation)?.byStatus.get(status) ?? this.#add({ wire, operation }, status);
    series.count += 1;
    const { times } = series;
    const seconds = durationMs / 1000;
    let bucket = 0;
    while (bucket < BOUNDS.length && seconds > (BOUNDS[bucket] ?? Infinity)) bucket += 1;
    times.buckets[bucket] = (times.buckets[bucket] ?? 0) + 1;
    times.sum += seconds;
    times.count += 1;
  }

  #add(labels: Labels, status: number): Series {
    const ofWire = this.#byWire.get(labels.wire) ?? new Map<OperationName, Counted>();
    this.#byWire.set(labels.wire, ofWire);
    const counted = ofWire.get(labels.operation) ?? { labels, times: new Times(), byStatus: new Map<number, Series>() };
    ofWire.set(labels.operation, counted);
    const series = { labels: counted.labels, status, times: counted.times, count: 0 };
    counted.byStatus.set(status, series);
    return series;
  }

  *#all(): Generator<Counted> {
    for (const ofWire of this.#byWire.values()) yield* ofWire.values();
  }
}

/** A histogram in the exposition format of Prometheus: its buckets count everything up to their bound. */
function samplesOf(name: string, labels: Labels, { buckets, sum, count }: Times) {
  let upTo = 0;
  return [
    ...BOUNDS.map((le, index) => {
      upTo += buckets[index] ?? 0;
      return { metricName: `${name}_bucket`, labels: { ...labels, le }, value: upTo };
    }),
    { metricName: `${name}_bucket`, labels: { ...labels, le: '+Inf' }, value: count },
    { metricName: `${name}_sum`, labels, value: sum },
    { metricName: `${name}_count`, labels, value: count },
  ];
}
