import { Counter, type Registry } from 'prom-client';

/** A number with its labels. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Publishes a counter whose numbers are kept elsewhere, read when it is asked for. */
export function publishCounter(registry: Registry, name: string, help: string, read: () => readonly Sample[]): void {
  const metric: Counter = new Counter({
    name,
    help,
    labelNames: [...new Set(read().flatMap(({ labels }) => Object.keys(labels)))],
    registers: [registry],
    collect: () => {
      metric.reset();
      for (const { labels, value } of read()) metric.inc(labels, value);
    },
  });
}
