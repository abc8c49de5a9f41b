import { readFileSync, writeFileSync } from 'node:fs';
import { percentile } from '../slices.ts';

/** What is measured, each against the least that it could cost. */
export const ROWS = [
  'encrypt',
  'decrypt',
  'sign, ed25519',
  'sign, ecdsa-p256',
  'encrypt a batch of 100',
  'rotate a key',
  'use a cold key',
] as const;

export type Row = (typeof ROWS)[number];

/** Of each row its share: the processor time of the least that it could cost, divided by what it does cost. */
export type Shares = Readonly<Record<Row, number>>;

/** How much more processor time than recorded is too much. */
const TOLERANCE = 1.1;

/**
 * The share that three quarters of the slices of one start do not exceed. A row became dearer only if this is too low in every
 * start: slices, and one start of the same program and the next, differ by more than the tolerance on a shared machine.
 */
export function upperQuartile(shares: readonly number[]): number {
  return percentile(shares, 75);
}

/** Whether a share of one start shows that the row is not over 10 % dearer than recorded. */
export function isNotDearer(upper: number, recorded: number): boolean {
  return upper >= recorded / TOLERANCE;
}

/** @throws Error if the file lacks a row or holds another */
export function readShares(path: string): Shares {
  const shares: unknown = JSON.parse(readFileSync(path, 'utf8'));
  if (!areShares(shares)) throw new Error(`${path} does not hold a share for each row: record them again`);
  return shares;
}

/** Writes the shares in the order of the rows, as the formatter of this repository leaves them. */
export function writeShares(path: string, shares: Shares): void {
  const inOrder = Object.fromEntries(ROWS.map((row) => [row, Number(shares[row].toFixed(3))]));
  writeFileSync(path, `${JSON.stringify(inOrder, null, 2)}\n`);
}

function areShares(value: unknown): value is Shares {
  if (typeof value !== 'object' || value === null) return false;
  const entries = Object.entries(value);
  const names = entries.map(([name]) => name).toSorted();
  return (
    entries.every(([, share]) => typeof share === 'number' && share > 0) && names.join() === ROWS.toSorted().join()
  );
}
