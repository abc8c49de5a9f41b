import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tempDir } from '@qnsp/test-harness';
import { afterAll, expect, test } from 'vitest';
import { measureHotRows } from '../bench/regression/hot-rows.ts';
import { compareWithRecord, sharesToRecord, type Start } from '../bench/regression/measure-rows.ts';
import { readShares, type Row, ROWS, type Shares, writeShares } from '../bench/regression/shares.ts';
import { measureStoreRows } from '../bench/regression/store-rows.ts';

const RECORD = join(import.meta.dirname, '../bench/recorded-share.json');
const postgresUrl = process.env['TEST_DATABASE_URL'] ?? '';
const directory = tempDir('qnsp-regression-');

afterAll(() => directory.remove());

/** The same share for every row. */
function shares(share: number): Shares {
  return Object.fromEntries(ROWS.map((row) => [row, share])) as Shares;
}

/** A start with the same slices for every row that is asked for. */
function slices(rows: readonly Row[], ratios: readonly number[]): Start {
  return new Map(rows.map((row) => [row, ratios]));
}

test('a start measures every row that it is asked for, and no other', { timeout: 300_000 }, async () => {
  const options = { slices: 2, requests: 40, warmUp: { first: 40, others: 20 } };
  const hot = await measureHotRows(postgresUrl, ROWS, options);
  const stored = await measureStoreRows(postgresUrl, ROWS, { slices: 2, calls: 3 });
  expect([...hot.keys(), ...stored.keys()].toSorted()).toEqual(ROWS.toSorted());
  for (const ratios of [...hot.values(), ...stored.values()]) {
    expect(ratios).toHaveLength(2);
    for (const ratio of ratios) expect(ratio).toBeGreaterThan(0);
    for (const ratio of ratios) expect(ratio).toBeLessThan(Number.POSITIVE_INFINITY);
  }
  expect((await measureHotRows(postgresUrl, ['rotate a key'], options)).size).toBe(0);
  const one = await measureStoreRows(postgresUrl, ['use a cold key'], { slices: 1, calls: 1 });
  expect([...one.keys()]).toEqual(['use a cold key']);
});

test('what is recorded holds every row, in the format of the formatter', async () => {
  const written = join(directory.path, 'written.json');
  writeShares(written, readShares(RECORD));
  // The committed file passed the gate of the formatter.
  expect(readFileSync(written, 'utf8')).toBe(readFileSync(RECORD, 'utf8'));

  const asked: (readonly Row[])[] = [];
  const starts = [[0.2, 0.4, 0.9], [0.5], [0.9, 0.61239]];
  const recorded = await sharesToRecord(async (rows) => slices(rows, starts[asked.push(rows) - 1] ?? []));
  expect(asked).toEqual([ROWS, ROWS, ROWS]);
  writeShares(written, recorded);
  expect(readShares(written)).toEqual(shares(0.5));
});

test('a record that lacks a row, or holds another, is refused', () => {
  const path = join(directory.path, 'incomplete.json');
  const { decrypt: _, ...incomplete } = shares(0.5);
  for (const wrong of [incomplete, { ...shares(0.5), more: 1 }, { ...shares(0.5), decrypt: '0.5' }, null]) {
    writeFileSync(path, JSON.stringify(wrong));
    expect(() => readShares(path)).toThrow('record them again');
  }
});

test('a row is dearer only if most slices of each of three starts are, and no longer measured once one is not', async () => {
  const asked: (readonly Row[])[] = [];
  // A share of 0.5 is 10 % dearer at 0.4545.
  const outcomes = await compareWithRecord(shares(0.5), async (rows) => {
    asked.push(rows);
    const start = new Map(slices(rows, [0.5, 0.45, 0.45, 0.45]));
    if (asked.length === 2) start.set('rotate a key', [0.3]);
    if (asked.length === 3) start.set('use a cold key', [0.3]);
    if (asked.length === 1) start.set('encrypt', [0.46, 0.46, 0.1, 0.1]);
    if (asked.length === 3) start.set('decrypt', [0.46, 0.46, 0.1, 0.1]);
    return start;
  });
  const others = ROWS.filter((row) => row !== 'encrypt');
  expect(asked).toEqual([ROWS, others, others]);
  const dearer = outcomes.filter(({ isDearer }) => isDearer).map(({ row }) => row);
  expect(dearer).toEqual(ROWS.filter((row) => row !== 'encrypt' && row !== 'decrypt'));
  const best = new Map(outcomes.map(({ row, best: highest }) => [row, highest]));
  expect([best.get('encrypt'), best.get('decrypt')]).toEqual([0.46, 0.46]);
  expect([best.get('rotate a key'), best.get('use a cold key')]).toEqual([0.45, 0.45]);
});

test('a record that holds is measured in one start', async () => {
  let count = 0;
  const outcomes = await compareWithRecord(shares(0.5), async (rows) => {
    count += 1;
    return slices(rows, [0.5]);
  });
  expect(count).toBe(1);
  expect(outcomes.map(({ row, isDearer }) => [row, isDearer])).toEqual(ROWS.map((row) => [row, false]));
});
