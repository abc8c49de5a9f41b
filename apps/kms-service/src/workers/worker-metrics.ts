import type { Worker } from 'node:cluster';
import { AggregatorRegistry } from 'prom-client';
import type { ToWorker, WorkerMetrics } from './messages.ts';

/** A worker that is too busy to answer by then is left out. */
const WAIT_MS = 5000;

interface Round {
  readonly parts: Map<Worker, WorkerMetrics>;
  readonly missing: Set<Worker>;
  readonly end: () => void;
}

/** Adds up the metrics of workers: counters and histograms by sum, everything else as its metric says. */
export class WorkerMetricsSum {
  readonly #rounds = new Map<number, Round>();
  #ids = 0;

  /** Asks the workers, and tells the one that wants to know. */
  ask(workers: readonly Worker[], asker: Worker, askerId: number): void {
    const id = ++this.#ids;
    const parts = new Map<Worker, WorkerMetrics>();
    const limit = setTimeout(() => this.#rounds.get(id)?.end(), WAIT_MS);
    const end = () => {
      clearTimeout(limit);
      this.#rounds.delete(id);
      void this.#send(asker, askerId, [...parts.values()]);
    };
    this.#rounds.set(id, { parts, missing: new Set(workers), end });
    for (const worker of workers) tell(worker, { kind: 'metrics-part-wanted', id });
  }

  /** A worker answered. */
  part(worker: Worker, id: number, metrics: WorkerMetrics): void {
    const round = this.#rounds.get(id);
    round?.parts.set(worker, metrics);
    this.#without(worker, round);
  }

  /** A worker ended, and will not answer any more. */
  gone(worker: Worker): void {
    for (const round of this.#rounds.values()) this.#without(worker, round);
  }

  #without(worker: Worker, round: Round | undefined): void {
    if (round?.missing.delete(worker) && round.missing.size === 0) round.end();
  }

  async #send(asker: Worker, id: number, parts: readonly WorkerMetrics[]): Promise<void> {
    // The type of prom-client's function says less than what it takes.
    const text = await AggregatorRegistry.aggregate(parts.map((part) => [...part])).metrics();
    tell(asker, { kind: 'metrics', id, text });
  }
}

function tell(worker: Worker, message: ToWorker): void {
  // One that has just ended asks for nothing any more.
  if (worker.isConnected()) worker.send(message);
}
