import { existsSync, readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';

const NS_PER_MS = 1e6;
const WATCH_START_LIMIT_MS = 30_000;
/** A thread is never woken up to the point. */
const USUAL_LATENESS_NS = 5_000_000n;

/** What the two threads share, in nanoseconds: how much too late one woke up in all, and when it wants to wake up next. */
const LATENESS = 0;
const DUE_AT = 1;

/** Wakes up every 10 ms; what it is late by the machine kept from everybody. It runs as it stands, so it is plain JavaScript. */
const WATCH = `
const { workerData } = require('node:worker_threads');
const seen = new BigInt64Array(workerData);
const nothing = new Int32Array(new SharedArrayBuffer(4));
for (;;) {
  const dueAt = process.hrtime.bigint() + 10_000_000n;
  Atomics.store(seen, ${DUE_AT}, dueAt);
  Atomics.notify(seen, ${DUE_AT});
  Atomics.wait(nothing, 0, 0, 10);
  const late = process.hrtime.bigint() - dueAt;
  if (late > ${USUAL_LATENESS_NS}n) Atomics.add(seen, ${LATENESS}, late);
}`;

let watched: BigInt64Array | undefined;

/** Begins to watch the machine; the thread that does ends with the process, which does not wait for it. */
function watch(): BigInt64Array {
  const seen = new BigInt64Array(new SharedArrayBuffer(16));
  new Worker(WATCH, { eval: true, workerData: seen.buffer, execArgv: [], name: 'lost-time' }).unref();
  if (Atomics.wait(seen, DUE_AT, 0n, WATCH_START_LIMIT_MS) === 'timed-out') throw new Error('nobody watches the time');
  return seen;
}

/** How much later than they wanted to threads woke up so far, in milliseconds. */
function lateness(): number {
  watched ??= watch();
  for (;;) {
    const before = Atomics.load(watched, LATENESS);
    // The thread that watches may not have woken up yet.
    const late = process.hrtime.bigint() - Atomics.load(watched, DUE_AT);
    if (Atomics.load(watched, LATENESS) === before)
      return Number(before + (late > USUAL_LATENESS_NS ? late : 0n)) / NS_PER_MS;
  }
}

/** How long a thread was ready to run so far while others ran, in milliseconds; 0 where the system does not say. */
function waited(of: number | 'thread-self'): number {
  if (!existsSync('/proc/thread-self/schedstat')) return 0;
  return Number(readFileSync(`/proc/${of}/schedstat`, 'utf8').split(' ')[1]) / NS_PER_MS;
}

/**
 * Begins to count the time that the machine keeps from this thread, and from the main threads of the processes that are named, as it
 * runs something else or stands still. The function that it returns says how many milliseconds it was since. A test adds them to its
 * bound, which stays exact: what the tested code takes, or waits for, is not among them. A process that has ended makes it throw.
 */
export function lostTime(...pids: readonly (number | undefined)[]): () => number {
  const threads = ['thread-self' as const, ...pids.map(pidOf)];
  const total = () => threads.reduce<number>((sum, thread) => sum + waited(thread), lateness());
  const begun = total();
  return () => total() - begun;
}

function pidOf(pid: number | undefined): number {
  if (pid === undefined) throw new Error('a process that has not started has no time to lose');
  return pid;
}
