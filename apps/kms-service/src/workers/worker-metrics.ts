import type { Worker } from 'node:cluster';
import { AggregatorRegistry, type MetricObjectWithValues, type MetricValue } from 'prom-client';
import type { Logger } from '../http/logger.ts';
import type { ToWorker, WorkerMetrics } from './messages.ts';

/** Of a worker that is too busy to answer by then, what it said before counts. */
const WAIT_MS = 5000;

interface Round {
  readonly missing: Set<Worker>;
  readonly end: () => void;
}

/**
 * Adds up the metrics of workers: counters and histograms by sum, everything else as its metric says. What a worker has counted
 * stays when it ends or does not answer: a sum that falls looks like a restart of everything.
 */
export class WorkerMetricsSum {
  readonly #log: Logger;
  readonly #rounds = new Map<number, Round>();
  /** The newest part of each worker that runs. */
  readonly #latest = new Map<Worker, WorkerMetrics>();
  /** What workers had counted that have ended, added up. */
  #ended: WorkerMetrics = [];
  #ids = 0;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Asks the workers, and tells the one that wants to know. */
  ask(workers: readonly Worker[], asker: Worker, askerId: number): void {
    const id = ++this.#ids;
    const limit = setTimeout(() => this.#rounds.get(id)?.end(), WAIT_MS);
    const end = () => {
      clearTimeout(limit);
      this.#rounds.delete(id);
      this.#send(asker, askerId).catch((error: unknown) =>
        this.#log.error({ err: error }, 'the metrics of the workers could not be added up'),
      );
    };
    const missing = new Set(workers);
    if (missing.size === 0) {
      end();
      return;
    }
    this.#rounds.set(id, { missing, end });
    for (const worker of workers) tell(worker, { kind: 'metrics-part-wanted', id });
  }

  /** A worker answered. */
  part(worker: Worker, id: number, metrics: WorkerMetrics): void {
    this.#latest.set(worker, metrics);
    this.#without(worker, this.#rounds.get(id));
  }

  /** A worker ended, and will no longer answer. */
  gone(worker: Worker): void {
    const latest = this.#latest.get(worker);
    this.#latest.delete(worker);
    if (latest !== undefined) this.#ended = counted([this.#ended, latest]);
    for (const round of this.#rounds.values()) this.#without(worker, round);
  }

  #without(worker: Worker, round: Round | undefined): void {
    if (round?.missing.delete(worker) && round.missing.size === 0) round.end();
  }

  async #send(asker: Worker, id: number): Promise<void> {
    const text = await AggregatorRegistry.aggregate([this.#ended, ...this.#latest.values()].map(mutable)).metrics();
    tell(asker, { kind: 'metrics', id, text });
  }
}

/** The counters and histograms of some processes as those of one. */
function counted(parts: readonly WorkerMetrics[]): WorkerMetrics {
  const registry = AggregatorRegistry.aggregate(parts.map(mutable));
  const names = new Set(parts.flatMap((part) => part.filter(({ type }) => isCounted(type)).map(({ name }) => name)));
  return [...names].flatMap((name) => {
    // What an aggregated registry holds are metrics that answer at once.
    const metric = registry.getSingleMetric(name) as unknown as { get(): WorkerMetrics[number] } | undefined;
    return metric === undefined ? [] : [metric.get()];
  });
}

function isCounted(type: unknown): boolean {
  return type === 'counter' || type === 'histogram';
}

/** The type of prom-client's function says that it might change what it gets; it does not. */
function mutable(part: WorkerMetrics): MetricObjectWithValues<MetricValue<string>>[] {
  return [...part];
}

function tell(worker: Worker, message: ToWorker): void {
  // One that has just ended asks for nothing more, and its end may not be known yet.
  if (worker.isConnected()) worker.send(message, () => undefined);
}
