import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { availableParallelism } from 'node:os';
import { describe, expect, it, onTestFinished } from 'vitest';
import { lostTime } from './lost-time.ts';

/** The system counts what a thread computed when it takes its turn. */
const INEXACT_MS = 50;

function start(program: string): ChildProcess {
  const child = spawn(process.execPath, ['--eval', program]);
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

/** How long this thread waits for its turn: what is lost more when its process is named besides. */
function waitingTime(): () => number {
  const [lost, lostTwice] = [lostTime(), lostTime(process.pid)];
  return () => lostTwice() - lost();
}

/** Lets this thread compute for so long by the clock. */
function compute(ms: number): number {
  const begun = performance.now();
  while (performance.now() - begun < ms);
  return performance.now() - begun;
}

describe('the time that the machine keeps', () => {
  it('is no time at once, and grows only', () => {
    const lost = lostTime();
    let last = lost();
    expect(last).toBeGreaterThanOrEqual(0);
    for (let time = 0; time < 100; time += 1) {
      const next = lost();
      expect(next).toBeGreaterThanOrEqual(last);
      last = next;
    }
  });

  it('is that in which the thread could have computed, and did not', async () => {
    const before = process.threadCpuUsage();
    const waiting = waitingTime();
    const elapsed = compute(500);
    const { user, system } = process.threadCpuUsage(before);
    const [waited, computed] = [waiting(), (user + system) / 1000];
    expect(waited).toBeGreaterThan(elapsed - computed - INEXACT_MS);
    expect(waited).toBeLessThan(elapsed - computed + INEXACT_MS);
  });

  it('is none in which the thread waits for something', async () => {
    const waiting = waitingTime();
    const begun = performance.now();
    await sleep(500);
    expect(waiting()).toBeLessThan(performance.now() - begun - 500 + INEXACT_MS);
  });

  it('is that of the processes that are named', { timeout: 120_000 }, async () => {
    const endless = 'console.log(1); for (;;);';
    // Twice as many as there are processors: each gets at most half a processor.
    const busy = Array.from({ length: 2 * availableParallelism() }, () => start(endless));
    await Promise.all(busy.map((child) => once(child.stdout ?? child, 'data')));
    const [one, two] = busy;
    const [ofNone, ofOne, ofBoth] = [lostTime(), lostTime(one?.pid), lostTime(one?.pid, two?.pid)];
    await sleep(2000);
    const [none, first, both] = [ofNone(), ofOne(), ofBoth()];
    expect(first).toBeGreaterThan(300);
    expect(both).toBeGreaterThan(first + 300);
    expect(none).toBeLessThan(both);
  });

  it('is unknown of a process that is not there', async () => {
    const child = start('');
    const lost = lostTime(child.pid);
    await once(child, 'exit');
    expect(lost).toThrow('ENOENT');
    expect(() => lostTime(undefined)).toThrow('has not started');
  });

  it('keeps no process up', { timeout: 120_000 }, async () => {
    const program = `import { lostTime } from ${JSON.stringify(new URL('./lost-time.ts', import.meta.url).href)}; lostTime()();`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: 'inherit' });
    expect(await once(child, 'exit')).toEqual([0, null]);
  });
});
