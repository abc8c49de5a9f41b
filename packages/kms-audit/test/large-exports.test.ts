import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Line, verifyExport } from '@qnsp/kms-audit';
import { linesOf } from '../src/lines.ts';
import { merkleRoot, GrowingRoot } from '../src/merkle-tree.ts';
import { describe, expect, test } from 'vitest';
import { samplePem, sampleExport } from './audit-samples.ts';

const CHILD = fileURLToPath(new URL('./verify-many-events.ts', import.meta.url));

describe('what somebody made to be large is answered with a sentence', () => {
  test('a line of 600 MB', async () => {
    const piece = Buffer.alloc(1024 * 1024, '[');
    async function* input(): AsyncGenerator<Buffer> {
      for (let pieces = 0; pieces < 600; pieces += 1) yield piece;
    }
    const before = process.memoryUsage.rss();
    const report = await verifyExport(linesOf(input()), { publicKeysPem: [] });
    expect(report).toMatchObject({
      verified: false,
      firstBad: { line: 1, reason: /has 629145600 bytes, more than any/ },
    });
    expect(process.memoryUsage.rss() - before).toBeLessThan(128 * 1024 * 1024);
  });

  test.each([
    ['lists in lists', '['.repeat(1_000_000)],
    ['objects in objects', '{"event":'.repeat(400_000)],
    ['a number without an end', `{"event":${'9'.repeat(1_000_000)}}`],
  ])('%s', async (_what, line) => {
    const report = await verifyExport([line], { publicKeysPem: [] });
    expect(report.firstBad).toMatchObject({ line: 1, reason: 'the line does not belong to an export' });
  });

  test('events without end and without a checkpoint, in memory that does not grow', { timeout: 600_000 }, () => {
    // Kept in memory, they would take twice of what the process has.
    const output = execFileSync(process.execPath, ['--max-old-space-size=40', CHILD, '80000'], { encoding: 'utf8' });
    expect(JSON.parse(output)).toMatchObject({
      verified: false,
      firstBad: { line: 80000, sequence: 1, reason: /no checkpoint/ },
    });
  });

  test('thousands of wrong lines', async () => {
    const { lines, publicKeyPem } = await sampleExport([2, 2], samplePem());
    const report = await verifyExport([...Array<Line>(5000).fill('no line'), ...lines], {
      publicKeysPem: [publicKeyPem],
    });
    expect(report).toMatchObject({ verified: false, badPlaces: 5000, events: 2 });
    expect(report.bad).toHaveLength(100);
  });
});

test('a root that grows is the one of the whole list', () => {
  const growing = new GrowingRoot();
  const entries: Buffer[] = [];
  expect(growing.root()).toEqual(merkleRoot([]));
  for (let entry = 0; entry < 70; entry += 1) {
    entries.push(Buffer.from(`entry ${entry}`));
    growing.add(entries.at(-1) ?? Buffer.alloc(0));
    expect(growing.root()).toEqual(merkleRoot(entries));
  }
});
