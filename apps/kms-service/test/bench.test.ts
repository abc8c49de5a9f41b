import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tempDir } from '@qnsp/test-harness';
import { expect, test } from 'vitest';
import { measureFiles } from '../bench/files/measure-files.ts';
import { renderSection, writeSection } from '../bench/report.ts';
import { measureEvidence } from '../bench/evidence/measure-evidence.ts';
import { measureScale } from '../bench/scale/measure-scale.ts';
import { compareSides } from '../bench/slices.ts';

test('the scale benchmark loads authentic keys and measures each operation on both sizes', async () => {
  const progress: string[] = [];
  const result = await measureScale(process.env['TEST_DATABASE_URL'] ?? '', (line) => void progress.push(line), {
    base: { tenants: 1, keysPerTenant: 12 },
    large: { tenants: 3, keysPerTenant: 12 },
    slices: 1,
    calls: 3,
  });
  expect(result.columns).toEqual(['operation', '12 keys', '36 keys', 'ratio', '≤ 2×']);
  expect(result.rows).toHaveLength(5);
  for (const row of result.rows) expect(row).toHaveLength(result.columns.length);
  expect(result.holds).toBe(result.rows.every((row) => row.at(-1) === 'yes'));
  expect(progress[1]).toMatch(/^36 keys loaded/);
});

test('the benchmark of files goes every way, and a file is the same after each', { timeout: 300_000 }, async () => {
  const progress: string[] = [];
  const result = await measureFiles(2, 1, (line) => void progress.push(line));
  expect(result.columns).toEqual(['', 'speed', 'speed ÷ openssl ≥ 0.50', 'memory ≤ 200 MB', 'holds']);
  expect(result.rows.map(([what]) => what)).toEqual(
    [
      'command line, file to file',
      'command line, pipe to file',
      'command line, pipe to pipe',
      'TypeScript, file to file',
    ].flatMap((way) => [`encrypt, ${way}`, `decrypt, ${way}`]),
  );
  // A process of Node.js alone has this much.
  for (const [, , , memory = ''] of result.rows) expect(Number.parseInt(memory, 10)).toBeGreaterThan(30);
  expect(progress).toEqual(['round 1 of 1']);
});

test('the evidence benchmark measures a service with evidence beside one without', { timeout: 60_000 }, async () => {
  const url = process.env['TEST_DATABASE_URL'] ?? '';
  const result = await measureEvidence(url, () => undefined, { rounds: 1, roundMs: 100, warmUpMs: 10 });
  expect(result.rows.map(([what]) => what)).toEqual(['throughput', 'throughput, delivered', 'median time']);
  for (const row of result.rows) expect(row).toHaveLength(result.columns.length);
  expect(result.holds).toBe(result.rows.every((row) => row.at(-1) !== '**no**'));
});

test('a comparison takes turns, drops the warm-up, and answers medians', async () => {
  const calls: string[] = [];
  const busy = (side: string) => async (index: number) => {
    calls.push(`${side}${index}`);
    const until = performance.now() + (side === 'a' ? 1 : 3);
    while (performance.now() < until);
  };
  const { base, other, ratio } = await compareSides(busy('a'), busy('b'), { slices: 3, calls: 2 });
  expect(calls).toEqual([0, 2, 4, 6].flatMap((from) => ['a', 'b'].flatMap((s) => [`${s}${from}`, `${s}${from + 1}`])));
  expect(base).toBeGreaterThanOrEqual(1);
  expect(other).toBeGreaterThanOrEqual(3);
  expect(ratio).toBeGreaterThan(1);
});

test('a benchmark that is run again replaces its section and leaves the others', async () => {
  const directory = tempDir('qnsp-bench-');
  const path = join(directory.path, 'benchmarks.md');
  const section = (name: string, cell: string) =>
    renderSection(
      { name, summary: `Measures ${name}.` },
      { conditions: ['idle'], columns: ['what'], rows: [[cell]], holds: cell !== 'slow' },
      { machine: 'a machine', date: new Date('2026-01-02T03:04:05Z') },
    );
  writeFileSync(path, '# Benchmarks\n\nWritten by a program.\n');
  for (const [name, cell] of [
    ['scale', 'slow'],
    ['engine', 'fast'],
    ['scale', 'quick'],
  ] as const)
    writeSection(path, name, section(name, cell));
  const report = readFileSync(path, 'utf8');
  expect(report.match(/^## .*$/gm)).toEqual(['## engine', '## scale']);
  expect(report).toContain('Written by a program.');
  expect(report).toContain('| quick |\n\nEvery target holds.\n\n- idle\n- a machine\n- 2026-01-02\n');
  expect(report).not.toContain('slow');
  expect(section('scale', 'slow')).toContain('**Not every target holds.**');
  await directory.remove();
});
