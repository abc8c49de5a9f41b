import type { Job, JobCounts } from '../ports/jobs.ts';
import { FairQueue, type Queued } from './fair-queue.ts';

/** How many jobs run at a time. */
export interface FairJobsOptions {
  readonly slots: number;
  /** Milliseconds on a clock that never goes back. */
  readonly now?: () => number;
}

/** Jobs of which a few run at a time, in fair shares of their owners. */
export class FairJobs {
  readonly #slots: number;
  readonly #now: () => number;
  /** What starts each job that waits. */
  readonly #queue = new FairQueue<() => void>();
  #running = 0;
  #started = 0;
  #waitedMs = 0;

  constructor({ slots, now = () => performance.now() }: FairJobsOptions) {
    if (!Number.isSafeInteger(slots) || slots < 1) throw new RangeError('at least one job has to run at a time');
    this.#slots = slots;
    this.#now = now;
  }

  get counts(): JobCounts {
    return {
      waiting: this.#queue.length,
      running: this.#running,
      started: this.#started,
      waitedMs: this.#waitedMs,
    };
  }

  /** Does a job when its turn comes; see the port `Jobs`. */
  run<T>({ owner, units, client }: Job, work: () => T | Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const since = this.#now();
      const start = () => {
        gone?.removeEventListener('abort', leave);
        this.#started += 1;
        this.#waitedMs += this.#now() - since;
        void settled(work)
          .then(resolve, reject)
          .finally(() => this.#done(queued));
      };
      // Asked for only by a job that has to wait: what is done at once does not have to know.
      const gone = this.#running < this.#slots ? undefined : client?.gone;
      const queued = this.#queue.push(owner, units, start);
      const leave = () => {
        if (this.#queue.leave(queued)) reject(reasonOf(gone));
      };
      if (gone?.aborted === true) leave();
      else {
        gone?.addEventListener('abort', leave, { once: true });
        this.#startNext();
      }
    });
  }

  #startNext(): void {
    while (this.#running < this.#slots) {
      const next = this.#queue.next();
      if (next === undefined) return;
      this.#running += 1;
      next.item();
    }
  }

  #done(queued: Queued<() => void>): void {
    this.#running -= 1;
    this.#queue.done(queued);
    this.#startNext();
  }
}

function reasonOf(gone: AbortSignal | undefined): Error {
  const reason: unknown = gone?.reason;
  return reason instanceof Error ? reason : new Error('Nobody waits for the answer any more.', { cause: reason });
}

/** Work that throws at once fails like any other. */
async function settled<T>(work: () => T | Promise<T>): Promise<T> {
  return work();
}
