import { startPostgres } from '@qnsp/test-harness';
import type { Bench } from './bench.ts';
import { compareCpu } from './load/compare-cpu.ts';
import { CONCURRENCY, serviceSide } from './load/encrypt-sides.ts';

const WORKERS = 2;
const TARGET = 1.7;
const OPTIONS = { slices: 9, requests: 4000, warmUp: 30_000 };

const bench: Bench = {
  name: 'workers',
  summary: `What ${WORKERS} workers do with ${WORKERS} processors, against one process with one.`,
  async run(say) {
    const postgres = await startPostgres();
    const one = await serviceSide(postgres.url);
    const more = await serviceSide(postgres.url, { KMS_WORKERS: String(WORKERS) });
    try {
      const { base, other, ratio } = await compareCpu(one, more, OPTIONS);
      // For each processor-second as many requests as one process serves would be a factor of the number of workers.
      const factor = WORKERS * ratio;
      const holds = factor >= TARGET;
      say(`${factor.toFixed(2)} times one process`);
      return {
        columns: ['encrypt', 'one process', `${WORKERS} workers`, 'times one process', 'target', 'holds'],
        rows: [
          [
            'processor time of a request',
            `${base.toFixed(1)} µs`,
            `${other.toFixed(1)} µs`,
            factor.toFixed(2),
            `≥ ${TARGET}`,
            holds ? 'yes' : '**no**',
          ],
        ],
        holds,
        conditions: [
          `requests per processor-second of all ${WORKERS} workers and the process above them, divided by those of one process, times ` +
            `${WORKERS}: the load comes from the same machine, so the time on the wall says nothing of workers alone`,
          `${CONCURRENCY} connections, medians of ${OPTIONS.slices} slices of ${OPTIONS.requests} requests, in turns, after ${OPTIONS.warmUp} that do not count`,
        ],
      };
    } finally {
      await one.stop();
      await more.stop();
      await postgres.stop();
    }
  },
};

export default bench;
