import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchResult } from '../bench.ts';
import { cpuSeconds } from '../load/cpu-time.ts';
import { startBenchService } from '../load/start-sides.ts';
import { median } from '../slices.ts';
import { allHold, verdict } from '../verdict.ts';

const MOST_MS = 2;

export interface IdleOptions {
  readonly slices: number;
  /** The length of a slice. */
  readonly seconds: number;
  /** After which the start has left nothing to be done. */
  readonly settledSeconds: number;
}

/** Measures what a process of the service takes in a second without requests. */
export async function measureIdle(
  serverUrl: string,
  say: (progress: string) => void,
  { slices, seconds, settledSeconds }: IdleOptions,
): Promise<BenchResult> {
  const service = await startBenchService(serverUrl);
  try {
    const pid = service.child.pid ?? 0;
    await sleep(settledSeconds * 1000);
    const taken: number[] = [];
    const woken: number[] = [];
    for (let slice = 0; slice < slices; slice += 1) {
      const before = { cpu: cpuSeconds(pid), wakeUps: wakeUps(pid), at: performance.now() };
      await sleep(seconds * 1000);
      const passed = (performance.now() - before.at) / 1000;
      taken.push(((cpuSeconds(pid) - before.cpu) * 1000) / passed);
      woken.push((wakeUps(pid) - before.wakeUps) / passed);
      say(`${taken.at(-1)?.toFixed(2)} ms and ${woken.at(-1)?.toFixed(0)} wake-ups in a second`);
    }
    const rows = [
      ['processor time', `${median(taken).toFixed(1)} ms`, `≤ ${MOST_MS} ms`, verdict(median(taken) <= MOST_MS)],
      ['the event loop wakes up', `${median(woken).toFixed(0)} times`, '', ''],
    ];
    return {
      columns: ['in a second', 'one process', 'target', 'holds'],
      rows,
      holds: allHold(rows),
      conditions: [
        `one process of the service on PostgreSQL, all of its threads; medians of ${slices} slices of ${seconds} s, from ` +
          `${settledSeconds} s after it was ready`,
      ],
    };
  } finally {
    await service.stop();
  }
}

/** How often the thread of the event loop has slept so far. */
function wakeUps(pid: number): number {
  return Number(
    /^voluntary_ctxt_switches:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/task/${pid}/status`, 'utf8'))?.[1],
  );
}
