import { randomBytes } from 'node:crypto';
import { createDatabase, tempDir } from '@qnsp/test-harness';
import type { BenchResult } from '../bench.ts';
import { median } from '../slices.ts';
import { allHold, verdict } from '../verdict.ts';
import { timeStart } from './timed-start.ts';

/** A place where the service keeps its data, and how it is started on it. */
export interface Place {
  readonly name: string;
  /** The most seconds that a start may take. */
  readonly target: number;
  readonly env: Readonly<Record<string, string>>;
  remove(): Promise<void>;
}

export async function onPostgres(serverUrl: string): Promise<Place> {
  const database = await createDatabase(serverUrl);
  return {
    name: 'service on PostgreSQL',
    target: 1.5,
    env: { DATABASE_URL: database.url, KMS_ROOT_KEY: randomBytes(32).toString('base64') },
    remove: () => database.drop(),
  };
}

export async function embedded(): Promise<Place> {
  const directory = tempDir('qnsp-embedded-');
  return {
    name: 'embedded, warm',
    target: 3,
    env: { KMS_EMBEDDED_DEFAULTS: 'true', KMS_DATA_DIR: directory.path },
    remove: () => directory.remove(),
  };
}

/** Measures starts in places where the service has run before. */
export async function measureStart(
  places: readonly Place[],
  say: (progress: string) => void,
  { starts }: { readonly starts: number },
): Promise<BenchResult> {
  try {
    const rows: string[][] = [];
    for (const { name, target, env } of places) {
      // The first start makes the database; it does not count.
      await timeStart(env);
      const times = [];
      for (let start = 0; start < starts; start += 1) times.push(await timeStart(env));
      const seconds = median(times.map((time) => time.seconds));
      const cpu = median(times.map((time) => time.cpuSeconds));
      const spread = times.map((time) => time.seconds).toSorted((a, b) => a - b);
      rows.push([
        name,
        `${seconds.toFixed(2)} s`,
        `${spread[0]?.toFixed(2)} to ${spread.at(-1)?.toFixed(2)} s`,
        `${cpu.toFixed(2)} s`,
        `≤ ${target.toFixed(1)} s`,
        verdict(seconds <= target),
      ]);
      say(`${name}: ${seconds.toFixed(2)} s, of which ${cpu.toFixed(2)} s on a processor`);
    }
    return {
      columns: ['start to ready', 'median', 'all of them', 'processor time', 'target', 'holds'],
      rows,
      holds: allHold(rows),
      conditions: [
        `${starts} starts on a database that the service has made and left before, from the start of the process to the first answer ` +
          '200 of `/readyz`, which is asked every 10 ms',
        'the time is that of a clock on the wall, and a busy machine makes it longer; the processor time, of all threads, is what the start itself takes',
      ],
    };
  } finally {
    for (const place of places) await place.remove();
  }
}
