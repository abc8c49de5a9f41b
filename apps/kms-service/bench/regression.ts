import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startPostgres } from '@qnsp/test-harness';
import { compareCpu } from './load/compare-cpu.ts';
import { floorSide, serviceSide } from './load/encrypt-sides.ts';
import { percentile } from './slices.ts';

/**
 * Fails when encrypt costs over 10 % more processor time, as a share of the floor's, than when the share was recorded:
 * `npm run bench:regression`. With `--record` it writes down what it measures. Part of `.ci/run`.
 *
 * On a busy machine single slices differ by more than that, so it takes three quarters of them to fail.
 */
const RECORD = join(import.meta.dirname, 'recorded-share.json');
const TOLERANCE = 1.1;
const OPTIONS = { slices: 21, requests: 2000, warmUp: 30_000 };

const postgres = await startPostgres();
const floor = await floorSide();
const service = await serviceSide(postgres.url);
try {
  const { ratio, ratios } = await compareCpu(floor, service, OPTIONS);
  const upper = percentile(ratios, 75);
  if (process.argv.includes('--record')) {
    writeFileSync(RECORD, `${JSON.stringify({ encrypt: Number(ratio.toFixed(3)) })}\n`);
    process.stdout.write(`recorded: encrypt at ${ratio.toFixed(3)} of the floor\n`);
  } else {
    // The file is what `--record` writes.
    const { encrypt } = JSON.parse(readFileSync(RECORD, 'utf8')) as { readonly encrypt: number };
    const least = encrypt / TOLERANCE;
    const holds = upper >= least;
    process.stdout.write(
      `encrypt: ${ratio.toFixed(3)} of the floor (upper quartile ${upper.toFixed(3)}), recorded ${encrypt.toFixed(3)}, ` +
        `${holds ? 'not ' : ''}over 10 % more processor time\n`,
    );
    process.exitCode = holds ? 0 : 1;
  }
} finally {
  await floor.stop();
  await service.stop();
  await postgres.stop();
}
