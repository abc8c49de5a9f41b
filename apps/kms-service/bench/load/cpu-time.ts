import { readdirSync, readFileSync } from 'node:fs';

const NANOSECONDS = 1e9;

/** Seconds of processor time that a process and those that it started have taken so far, without those that have ended. */
export function cpuSecondsOfAll(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  const started = children === '' ? [] : children.split(' ').map(Number);
  return started.reduce((sum, child) => sum + unlessEnded(() => cpuSecondsOfAll(child)), cpuSeconds(pid));
}

/** What a process that was just there has taken; nothing when it has ended since, as workers of PostgreSQL do. */
function unlessEnded(seconds: () => number): number {
  try {
    return seconds();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ESRCH') return 0;
    throw error;
  }
}

/**
 * Seconds of processor time that a process has taken so far, of all threads that still run. Of Linux only, where the
 * scheduler counts nanoseconds.
 */
export function cpuSeconds(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  let nanoseconds = 0;
  for (const task of readdirSync(tasks)) {
    nanoseconds += Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ', 1)[0]);
  }
  return nanoseconds / NANOSECONDS;
}

/** Seconds of processor time that the threads of a process which have a name have taken so far. */
export function cpuSecondsOfThreads(pid: number, name: string): number {
  const tasks = `/proc/${pid}/task`;
  let nanoseconds = 0;
  for (const task of readdirSync(tasks)) {
    if (readFileSync(`${tasks}/${task}/comm`, 'utf8').trim() !== name) continue;
    nanoseconds += Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ', 1)[0]);
  }
  return nanoseconds / NANOSECONDS;
}

/** Seconds for which the first thread of a process, which has the event loop, was ready to run and had no processor, so far. */
export function eventLoopWaitedSeconds(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ', 2)[1]) / NANOSECONDS;
}

/** In which Linux counts the time of processors. */
const TICKS_PER_SECOND = 100;

/** Seconds in which processors of this machine have had nothing to do so far, the sum of all of them. */
export function idleSeconds(): number {
  const [, , , , idle = '', waiting = ''] = readFileSync('/proc/stat', 'utf8').split(/\s+/, 6);
  return (Number(idle) + Number(waiting)) / TICKS_PER_SECOND;
}
