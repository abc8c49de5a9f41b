import type { Job, JobCounts, Jobs } from '../ports/jobs.ts';
import { FairJobs } from './fair-jobs.ts';

/** How many threads libuv starts unless `UV_THREADPOOL_SIZE` says otherwise. */
export const DEFAULT_THREADS = 4;

/**
 * From here on a job is a long one: milliseconds of a processor. Between signing with RSA-4096, the dearest use of a key but for SLH-DSA, and
 * the cheapest signature with SLH-DSA or RSA key.
 */
const LONG_UNITS = 1000;

/**
 * Jobs on the thread pool of libuv, in fair shares: as many short ones as there are threads, and of the long ones one fewer, so that a
 * thread is always left for what is short, for files and for names. A pool of one thread has none to leave. Together they can be more than
 * the threads: what is started then waits for short ones that were started before, fewer than there are threads.
 *
 * Nor are there more long ones than processors. Two on one processor end no sooner than one after the other; but they take turns, and
 * whenever a turn begins the scheduler lets nothing interrupt it for a while: not even the event loop, with every request that waits for it.
 *
 * @param pool how many threads it has, and how many processors they have: by default all that the process may use; where several processes do
 * the same work on one machine, each has its part
 * @example
 * import { randomBytes } from 'node:crypto';
 * import { openKms, softwareRoot } from '@qnsp/kms-core';
 * import { poolJobs } from '@qnsp/kms-core/ports';
 * import { inMemoryStorage } from '@qnsp/kms-core/testing';
 * // In a process that was started with UV_THREADPOOL_SIZE=16.
 * const jobs = poolJobs({ threads: 16 });
 * await using kms = await openKms({
 *   storage: inMemoryStorage(),
 *   roots: softwareRoot('software', randomBytes(32)),
 *   alert: ({ message }) => console.error(message),
 *   jobs,
 * });
 * console.log(jobs.counts()['long']); // { waiting: 0, running: 0, started: 0, waitedMs: 0 }
 */
export function poolJobs(
  // Of Node.js, which counts them as `os.availableParallelism` does.
  {
    threads,
    processors = navigator.hardwareConcurrency,
  }: {
    readonly threads: number;
    readonly processors?: number;
  } = {
    threads: DEFAULT_THREADS,
  },
): Jobs {
  const short = new FairJobs({ slots: threads });
  const long = new FairJobs({ slots: Math.max(1, Math.min(threads - 1, processors)) });
  return {
    run: <T>(job: Job, work: () => T | Promise<T>): Promise<T> =>
      (job.units < LONG_UNITS ? short : long).run(job, work),
    counts: (): Readonly<Record<'short' | 'long', JobCounts>> => ({ short: short.counts, long: long.counts }),
  };
}
