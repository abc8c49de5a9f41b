import { type Histogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { Gauge, type Registry } from 'prom-client';

const NANOSECONDS = 1e9;

type Aggregator = 'average' | 'max' | 'min';
const STATISTICS: readonly (readonly [string, Aggregator, (turns: Histogram) => number])[] = [
  ['min', 'min', (turns) => turns.min],
  ['max', 'max', (turns) => turns.max],
  ['mean', 'average', (turns) => turns.mean],
  ['stddev', 'average', (turns) => turns.stddev],
  ['p50', 'average', (turns) => turns.percentile(50)],
  ['p90', 'average', (turns) => turns.percentile(90)],
  ['p99', 'average', (turns) => turns.percentile(99)],
];

/**
 * For prom-client's own measurement, in milliseconds: hardly ever. It looks with a timer, by default a hundred times a second, which
 * would be most of what an idle process does.
 */
export const NO_LOOKING_MS = 2 ** 31 - 1;

/**
 * Replaces the metrics of prom-client that say how late the event loop is, under their names: how long each turn of it took, from when
 * something was to be done until it waited again, since they were read last. Nothing is measured while there is nothing to do.
 */
export function observeEventLoopLag(registry: Registry): void {
  const turns = monitorEventLoopDelay({ samplePerIteration: true });
  turns.enable();
  const gauges = STATISTICS.map(([statistic, aggregator, read]) => {
    const name = `nodejs_eventloop_lag_${statistic}_seconds`;
    registry.removeSingleMetric(name);
    const help = `Turns of the event loop since this was last read: ${statistic} of their seconds.`;
    return { read, gauge: new Gauge({ name, help, registers: [registry], aggregator, collect: readAllOnce }) };
  });
  /** The first of them is the first in an answer, and is read for all. */
  function readAllOnce(this: Gauge): void {
    if (this !== gauges[0]?.gauge) return;
    for (const { gauge, read } of gauges) gauge.set(turns.count === 0 ? 0 : read(turns) / NANOSECONDS);
    turns.reset();
  }
}
