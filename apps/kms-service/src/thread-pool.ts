import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism, setPriority } from 'node:os';
import type { ServiceConfig } from './config/service-config.ts';
import type { Logger } from './http/logger.ts';

/** How much the threads of the pool give way: nice, from 0 for not at all to 19. */
const NICENESS = 10;
const TASKS = '/proc/self/task';

/** The thread pool of this process, and its part of the processors: its siblings do the same work beside it. */
export function poolOf(
  { poolThreads, workers }: Pick<ServiceConfig, 'poolThreads' | 'workers'>,
  processors: number = availableParallelism(),
): { readonly threads: number; readonly processors: number } {
  return { threads: poolThreads, processors: Math.max(1, Math.floor(processors / workers)) };
}

/**
 * Lets the thread pool give way to the event loop. Signing with RSA, ML-DSA and SLH-DSA runs on the pool and takes all
 * processors that it gets; if there are few, everything quick would wait behind it. Linux counts priority by thread;
 * elsewhere the threads stay as they are. The pool has its threads once it has been used.
 */
export function yieldThreadPool(log: Logger): void {
  if (process.platform !== 'linux') return;
  try {
    for (const id of readdirSync(TASKS)) {
      if (readFileSync(`${TASKS}/${id}/comm`, 'utf8').startsWith('libuv-worker')) setPriority(Number(id), NICENESS);
    }
  } catch (error) {
    // Where this is forbidden the service works as well, with less regard for what is quick.
    log.warn({ err: error }, 'the priority of the thread pool cannot be lowered');
  }
}
