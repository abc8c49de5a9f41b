import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { median } from '../slices.ts';
import { isNotDearer, ROWS, type Row, type Shares, upperQuartile } from './shares.ts';

/** Of some rows the share in each slice of one start. */
export type Start = ReadonlyMap<Row, readonly number[]>;

const STARTS = 3;
const ONE_START = join(import.meta.dirname, 'one-start.ts');

/** Measures these rows in a process of its own, on a server of its own and a database of its own. */
export async function startOnce(serverUrl: string, rows: readonly Row[]): Promise<Start> {
  const { stdout } = await promisify(execFile)(process.execPath, [ONE_START, serverUrl, JSON.stringify(rows)]);
  // The program beside this file writes this.
  return new Map(JSON.parse(stdout) as [Row, readonly number[]][]);
}

/** The middle of three starts, for each row. */
export async function sharesToRecord(start: (rows: readonly Row[]) => Promise<Start>): Promise<Shares> {
  const starts: Start[] = [];
  for (let count = 0; count < STARTS; count += 1) starts.push(await start(ROWS));
  const shareOf = (row: Row) => median(starts.map((measured) => median(measured.get(row) ?? [])));
  // Every row is in ROWS.
  return Object.fromEntries(ROWS.map((row) => [row, shareOf(row)])) as Shares;
}

/** What became of a row: the highest of the upper quartiles of its starts, and whether it is over 10 % dearer than recorded. */
export interface Outcome {
  readonly row: Row;
  readonly best: number;
  readonly isDearer: boolean;
}

/** Measures each row until a start shows that it is not dearer than recorded, in three starts at most. */
export async function compareWithRecord(
  recorded: Shares,
  start: (rows: readonly Row[]) => Promise<Start>,
): Promise<readonly Outcome[]> {
  const best = new Map<Row, number>();
  const isDearer = (row: Row) => !isNotDearer(best.get(row) ?? 0, recorded[row]);
  for (let count = 0; count < STARTS && ROWS.some(isDearer); count += 1) {
    for (const [row, shares] of await start(ROWS.filter(isDearer)))
      best.set(row, Math.max(best.get(row) ?? 0, upperQuartile(shares)));
  }
  return ROWS.map((row) => ({ row, best: best.get(row) ?? Number.NaN, isDearer: isDearer(row) }));
}
