import cluster, { type Worker } from 'node:cluster';
import { EXIT_CONFIGURATION } from '../config/configuration-error.ts';
import type { Logger } from '../http/logger.ts';
import type { ToPrimary } from './messages.ts';
import { WorkerMetricsSum } from './worker-metrics.ts';

/** A worker that ends on its own is replaced after this, and after twice as long each time until one serves again. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

export interface WorkerOptions {
  readonly count: number;
  /** How long workers may take to stop before they are killed. */
  readonly stopLimitMs: number;
  /** Whether SIGHUP is for the workers, which read files again then; otherwise it ends the service as the system has it. */
  readonly heedsHangUp: boolean;
}

/**
 * Runs the service in several processes that share its port and nothing else: each has its own caches and connections,
 * and treats the others like nodes on other machines. This process serves nothing; it replaces workers that end, passes
 * signals on, and adds up their metrics.
 *
 * @returns the exit code: 0 when a signal ended it, or that of a worker that cannot start
 */
export async function superviseWorkers(options: WorkerOptions, log: Logger): Promise<number> {
  const workers = new Workers(options, log);
  process.on('SIGINT', (signal) => workers.stop(signal, 0));
  process.on('SIGTERM', (signal) => workers.stop(signal, 0));
  if (options.heedsHangUp) process.on('SIGHUP', (signal) => workers.pass(signal));
  return workers.run();
}

class Workers {
  readonly #options: WorkerOptions;
  readonly #log: Logger;
  readonly #metrics: WorkerMetricsSum;
  /** Those that said that they serve. */
  readonly #serving = new Set<Worker>();
  readonly #running = new Set<Worker>();
  readonly #ended = Promise.withResolvers<number>();
  /** Set once it stops. */
  #exitCode: number | undefined;
  #everServed = false;
  #pauseMs = FIRST_PAUSE_MS;

  constructor(options: WorkerOptions, log: Logger) {
    this.#options = options;
    this.#log = log;
    this.#metrics = new WorkerMetricsSum(log);
  }

  run(): Promise<number> {
    // Numbers as they are: JSON has no infinity, which is the age of a proof that never came.
    cluster.setupPrimary({ serialization: 'advanced' });
    // What comes from a worker is what this same program sends.
    cluster.on('message', (worker, message: ToPrimary) => this.#onMessage(worker, message));
    cluster.on('exit', (worker, code, signal) => this.#onExit(worker, code, signal));
    this.#start();
    return this.#ended.promise;
  }

  stop(signal: NodeJS.Signals, exitCode: number): void {
    if (this.#exitCode !== undefined) return;
    this.#exitCode = exitCode;
    for (const worker of this.#running) worker.process.kill(signal);
    setTimeout(() => {
      this.#log.error('workers took too long to stop');
      for (const worker of this.#running) worker.process.kill('SIGKILL');
    }, this.#options.stopLimitMs).unref();
    this.#endWhenAllEnded();
  }

  pass(signal: NodeJS.Signals): void {
    // One that does not serve yet reads its files anyway, and would be ended by it.
    for (const worker of this.#serving) worker.process.kill(signal);
  }

  #start(): void {
    if (this.#exitCode !== undefined) return;
    const worker = cluster.fork();
    this.#running.add(worker);
    worker.on('error', (error) => {
      this.#log.error({ err: error, worker: worker.process.pid }, 'a worker could not be started or reached');
      // One that never ran does not end either.
      if (worker.process.pid === undefined) this.#onExit(worker, null, null);
    });
  }

  #onMessage(worker: Worker, message: ToPrimary): void {
    if (message.kind === 'started') this.#onStarted(worker);
    else if (message.kind === 'metrics-part') this.#metrics.part(worker, message.id, message.metrics);
    else this.#metrics.ask([...this.#serving], worker, message.id);
  }

  #onStarted(worker: Worker): void {
    this.#serving.add(worker);
    this.#pauseMs = FIRST_PAUSE_MS;
    if (this.#everServed) return;
    this.#everServed = true;
    // The first one has prepared the database by now, so that the others do not wait for one another.
    for (let index = 1; index < this.#options.count; index += 1) this.#start();
  }

  #onExit(worker: Worker, code: number | null, signal: string | null): void {
    this.#running.delete(worker);
    this.#serving.delete(worker);
    this.#metrics.gone(worker);
    if (this.#exitCode !== undefined) {
      this.#endWhenAllEnded();
      return;
    }
    const ended = { worker: worker.process.pid, code, signal };
    if (!this.#everServed) {
      this.#log.error(ended, 'a worker cannot start');
      this.stop('SIGTERM', code ?? 1);
      return;
    }
    // The others keep serving. A wrong configuration needs somebody to correct it, and a PIN must not be tried often.
    if (code === EXIT_CONFIGURATION) this.#pauseMs = LONGEST_PAUSE_MS;
    this.#log.error({ ...ended, pauseMs: this.#pauseMs }, 'a worker ended; another takes its place');
    setTimeout(() => this.#start(), this.#pauseMs);
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
  }

  #endWhenAllEnded(): void {
    if (this.#running.size === 0) this.#ended.resolve(this.#exitCode ?? 0);
  }
}
