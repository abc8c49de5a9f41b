import { startPostgres } from '@qnsp/test-harness';
import type { Bench } from './bench.ts';
import type { Side } from './load/compare-cpu.ts';
import { CONCURRENCY, floorSide, serviceSide } from './load/encrypt-sides.ts';
import { median, percentile } from './slices.ts';

const SLICES = 7;
const SATURATING = 6000;
const WARM_UP = 20_000;
const SHARE = 0.7;
const SECONDS = 2;
const TARGET = 3;

/** The 99th percentile in milliseconds at a part of the rate that the server can keep up just now. */
async function p99({ target, request }: Side): Promise<number> {
  const begun = performance.now();
  await target.closedLoop(request, SATURATING);
  const perSecond = (SHARE * SATURATING * 1000) / (performance.now() - begun);
  return percentile(await target.openLoop(request, perSecond, Math.ceil(perSecond * SECONDS)), 99);
}

const bench: Bench = {
  name: 'latency',
  summary: 'How long encrypt takes at 70 % of what each server can do at most, from when a request was due.',
  async run(say) {
    const postgres = await startPostgres();
    const floor = await floorSide();
    const service = await serviceSide(postgres.url);
    try {
      for (const { target, request } of [floor, service]) await target.closedLoop(request, WARM_UP);
      const pairs: { readonly floor: number; readonly service: number }[] = [];
      for (let slice = 0; slice < SLICES; slice += 1)
        pairs.push({ floor: await p99(floor), service: await p99(service) });
      const ratio = median(pairs.map((pair) => pair.service / pair.floor));
      const holds = ratio <= TARGET;
      say(`p99 ${ratio.toFixed(2)} times that of the floor`);
      return {
        columns: ['encrypt', 'floor', 'service', 'service ÷ floor', 'target', 'holds'],
        rows: [
          [
            'p99',
            `${median(pairs.map((pair) => pair.floor)).toFixed(2)} ms`,
            `${median(pairs.map((pair) => pair.service)).toFixed(2)} ms`,
            ratio.toFixed(2),
            `≤ ${TARGET}`,
            holds ? 'yes' : '**no**',
          ],
        ],
        holds,
        conditions: [
          `${CONCURRENCY} connections; before each slice the rate at saturation is measured again; medians of ${SLICES} slices of ${SECONDS} s, in turns`,
        ],
      };
    } finally {
      await floor.stop();
      await service.stop();
      await postgres.stop();
    }
  },
};

export default bench;
