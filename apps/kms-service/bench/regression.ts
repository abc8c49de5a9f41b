import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startPostgres } from '@qnsp/test-harness';
import { compareCpu } from './load/compare-cpu.ts';
import { floorSide, serviceSide } from './load/encrypt-sides.ts';
import { median, percentile } from './slices.ts';
import { useBundles } from './use-bundles.ts';

/**
 * Fails when encrypt costs over 10 % more processor time, as a share of the floor's, than when the share was recorded:
 * `npm run bench:regression`. With `--record` it writes down what it measures. Part of `.ci/run`.
 *
 * On a shared machine slices, and one start of the same program and the next, differ by more than that. So it fails only when
 * three quarters of the slices of each of three starts are over it, and what is recorded is the middle of three.
 */
const RECORD = join(import.meta.dirname, 'recorded-share.json');
const TOLERANCE = 1.1;
const ROUNDS = 3;
const OPTIONS = { slices: 11, requests: 2000, warmUp: 25_000 };

/** The median and the upper quartile of the share in each of some rounds, with processes that are restarted for each. */
async function measure(url: string): Promise<readonly { readonly share: number; readonly upper: number }[]> {
  const rounds: { readonly share: number; readonly upper: number }[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const floor = await floorSide();
    const service = await serviceSide(url);
    try {
      const { ratio, ratios } = await compareCpu(floor, service, OPTIONS);
      rounds.push({ share: ratio, upper: percentile(ratios, 75) });
    } finally {
      await floor.stop();
      await service.stop();
    }
  }
  return rounds;
}

useBundles();
const postgres = await startPostgres();
try {
  const rounds = await measure(postgres.url);
  const share = median(rounds.map((round) => round.share));
  const best = Math.max(...rounds.map((round) => round.upper));
  if (process.argv.includes('--record')) {
    writeFileSync(RECORD, `${JSON.stringify({ encrypt: Number(share.toFixed(3)) }, null, 2)}\n`);
    process.stdout.write(`recorded: encrypt at ${share.toFixed(3)} of the floor\n`);
  } else {
    // The file is what `--record` writes.
    const { encrypt } = JSON.parse(readFileSync(RECORD, 'utf8')) as { readonly encrypt: number };
    const holds = best >= encrypt / TOLERANCE;
    process.stdout.write(
      `encrypt: ${share.toFixed(3)} of the floor, ${best.toFixed(3)} at best, recorded ${encrypt.toFixed(3)}: ` +
        `${holds ? 'not ' : ''}over 10 % more processor time\n`,
    );
    process.exitCode = holds ? 0 : 1;
  }
} finally {
  await postgres.stop();
}
