import { fileRounds } from '@qnsp/test-harness';
import type { BenchResult } from '../bench.ts';

const MEMORY_LIMIT = 200e6;
/** At least half the speed. */
const RATIO_LIMIT = 2;

/** Measures every way on a file of this size. */
export async function measureFiles(
  sizeMib: number,
  rounds: number,
  say: (progress: string) => void,
): Promise<BenchResult> {
  const { opensslSeconds, measures } = await fileRounds(sizeMib, rounds, say);
  const speed = (seconds: number) => `${(sizeMib / seconds).toFixed(0)} MiB/s`;
  const rows = measures.map(({ way, direction, seconds, memoryBytes }) => {
    const holds = seconds <= RATIO_LIMIT * opensslSeconds && memoryBytes <= MEMORY_LIMIT;
    const ratio = (opensslSeconds / seconds).toFixed(2);
    return [
      `${direction}, ${way}`,
      speed(seconds),
      ratio,
      `${(memoryBytes / 1e6).toFixed(0)} MB`,
      holds ? 'yes' : '**no**',
    ];
  });
  return {
    conditions: [
      'the command line is the bundle that is published, TypeScript the sources',
      `a file of ${sizeMib} MiB; the fastest of ${rounds} rounds, in turns, each with the start of its process and one call of the service; the greatest resident memory of any round`,
      `\`openssl enc -aes-256-ctr\`, which does not authenticate: ${speed(opensslSeconds)}`,
      'files are on the disk, synchronised before the command ends, which that of openssl is not',
    ],
    columns: ['', 'speed', 'speed ÷ openssl ≥ 0.50', 'memory ≤ 200 MB', 'holds'],
    rows,
    holds: rows.every((row) => row.at(-1) === 'yes'),
  };
}
