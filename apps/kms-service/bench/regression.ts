import { join } from 'node:path';
import { startPostgres } from '@qnsp/test-harness';
import { compareWithRecord, sharesToRecord, startOnce } from './regression/measure-rows.ts';
import { readShares, type Row, ROWS, writeShares } from './regression/shares.ts';
import { useBundles } from './use-bundles.ts';

/**
 * Fails when an operation costs over 10 % more processor time, as a share of the least that it could cost, than when the share
 * was recorded: `npm run bench:regression`. With `--record` it writes down what it measures. Part of `.ci/run`.
 */
const RECORD = join(import.meta.dirname, 'recorded-share.json');

useBundles();
const postgres = await startPostgres();
try {
  const start = (rows: readonly Row[]) => startOnce(postgres.url, rows);
  if (process.argv.includes('--record')) {
    const shares = await sharesToRecord(start);
    writeShares(RECORD, shares);
    for (const row of ROWS) process.stdout.write(`recorded: ${row} at ${shares[row].toFixed(3)}\n`);
  } else {
    const recorded = readShares(RECORD);
    const outcomes = await compareWithRecord(recorded, start);
    for (const { row, best, isDearer } of outcomes)
      process.stdout.write(
        `${row}: ${best.toFixed(3)} at best, recorded ${recorded[row].toFixed(3)}: ` +
          `${isDearer ? '' : 'not '}over 10 % more processor time\n`,
      );
    process.exitCode = outcomes.some(({ isDearer }) => isDearer) ? 1 : 0;
  }
} finally {
  await postgres.stop();
}
