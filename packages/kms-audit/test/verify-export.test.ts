import { type Checkpoint, canonicalJson, exportLines, type VerifyExportOptions, verifyExport } from '@qnsp/kms-audit';
import { wordsOf } from '../src/export-report.ts';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { sampleExport, samplePem } from './audit-samples.ts';

type Sample = Awaited<ReturnType<typeof sampleExport>>;
let sample: Sample;
let options: VerifyExportOptions;

beforeAll(async () => {
  sample = await sampleExport([3, 1, 7, 2]);
  options = { publicKeysPem: [sample.publicKeyPem], latestCheckpoint: sample.latest };
});

function eventLine(index: number): string {
  return sample.lines.filter((line) => line.startsWith('{"event"'))[index] ?? '';
}

describe('an export as it was made', () => {
  test('is verified: every event, no gap', async () => {
    await expect(verifyExport(sample.lines, options)).resolves.toMatchObject({
      verified: true,
      events: 13,
      checkpoints: 4,
      gaps: 0,
      endProven: true,
      firstBad: null,
      last: sample.latest,
    });
  });

  test('is verified without a witness too, but its end is then not proven', async () => {
    const report = await verifyExport(sample.lines, { publicKeysPem: [sample.publicKeyPem] });
    expect(report).toMatchObject({ verified: true, endProven: false });
  });

  test('has a proven end only by a checkpoint that covers it, wherever it was cut', async () => {
    const { publicKeyPem, batches } = sample;
    for (const [cut] of batches.entries())
      for (const [given, { checkpoint }] of batches.entries()) {
        const lines = batches
          .slice(0, cut + 1)
          .flatMap(({ events, checkpoint: end }) => exportLines(events, end).trimEnd().split('\n'));
        const report = await verifyExport(lines, { publicKeysPem: [publicKeyPem], latestCheckpoint: checkpoint });
        expect(report).toMatchObject({ verified: given <= cut, endProven: given === cut });
        expect(report.provenUpTo).toBe(given <= cut ? checkpoint.lastSequence : null);
        expect(wordsOf(report).join('\n').includes('the end is proven')).toBe(given === cut);
      }
  });

  test('goes on after the last checkpoint of an earlier one', async () => {
    const after = sample.batches[1]?.checkpoint;
    if (after === undefined) throw new Error('the sample has four batches');
    const rest = sample.lines.slice(6);
    expect(await verifyExport(rest, { ...options, after })).toMatchObject({ verified: true, events: 9 });
    expect(await verifyExport(rest, options)).toMatchObject({ verified: false, gaps: 4, firstBad: { sequence: 5 } });
    expect(await verifyExport([], { ...options, after })).toMatchObject({ verified: false, gaps: 9 });
  });

  test('may be signed by one key after another', async () => {
    const other = await sampleExport([2]);
    const both = { publicKeysPem: [other.publicKeyPem, sample.publicKeyPem] };
    expect(await verifyExport(sample.lines, both)).toMatchObject({ verified: true });
    expect(await verifyExport(sample.lines, { publicKeysPem: [other.publicKeyPem] })).toMatchObject({
      verified: false,
    });
    expect(await verifyExport(sample.lines, { publicKeysPem: [] })).toMatchObject({ verified: false });
  });
});

describe('names the first bad event', () => {
  test('of an edit', async () => {
    const bad = eventLine(5);
    const lines = sample.lines.map((line) => (line === bad ? line.replace('"success"', '"failure"') : line));
    expect((await verifyExport(lines, options)).firstBad).toMatchObject({ sequence: 6, reason: /changed/ });
  });

  test('of an edit whose hashes were made anew: the batch it is in', async () => {
    const [first, second] = sample.batches;
    if (first === undefined || second === undefined) throw new Error('the sample has four batches');
    const forged = await sampleExport([3], samplePem());
    const lines = [
      ...exportLines(forged.batches[0]?.events ?? [], first.checkpoint)
        .trimEnd()
        .split('\n'),
      ...exportLines(second.events, second.checkpoint).trimEnd().split('\n'),
    ];
    expect((await verifyExport(lines, options)).firstBad).toMatchObject({ sequence: 1, reason: /batch/ });
  });

  test('of a deletion', async () => {
    const report = await verifyExport(
      sample.lines.filter((line) => line !== eventLine(6)),
      options,
    );
    expect(report).toMatchObject({ gaps: 1, firstBad: { sequence: 8, reason: 'event 7 is missing before it' } });
  });

  test('of a deleted batch', async () => {
    const lines = sample.lines.filter((_, index) => index < 4 || index > 5);
    expect(await verifyExport(lines, options)).toMatchObject({ gaps: 1, firstBad: { sequence: 5 } });
  });

  test('of a truncation, at a batch and inside of one', async () => {
    const atBatch = await verifyExport(sample.lines.slice(0, -3), options);
    expect(atBatch).toMatchObject({
      gaps: 2,
      firstBad: { sequence: 12, eventId: sample.latest.firstEventId, reason: /cut off/ },
    });
    const inside = await verifyExport(sample.lines.slice(0, -1), options);
    expect(inside.firstBad).toMatchObject({ sequence: 12, reason: /no checkpoint/ });
    expect(
      await verifyExport(sample.lines.slice(0, -3), { publicKeysPem: [sample.publicKeyPem], expectedEvents: 13 }),
    ).toMatchObject({ verified: false });
  });

  test('of another history that was signed with the same key', async () => {
    const pem = samplePem();
    const [real, forged] = [await sampleExport([2, 2], pem), await sampleExport([2, 2], pem)];
    const report = await verifyExport(forged.lines, {
      publicKeysPem: [real.publicKeyPem],
      latestCheckpoint: real.latest,
    });
    expect(report.firstBad).toMatchObject({ reason: /rewritten/ });
  });

  test('of what retention did not remove', async () => {
    const removed = sample.lines.filter((line, index) => index >= 4 || line.startsWith('{"checkpoint"'));
    expect(await verifyExport(removed, { ...options, retiredBefore: new Date('2026-03-02') })).toMatchObject({
      verified: true,
      retired: 3,
      // Retention goes from the oldest to the newest.
      retiredAfterKept: [],
      events: 10,
    });
    expect(await verifyExport(removed, { ...options, retiredBefore: new Date('2026-02-01') })).toMatchObject({
      verified: false,
      gaps: 3,
    });
    expect(await verifyExport(removed, options)).toMatchObject({ verified: false });
  });

  test('of a batch in the middle that retention may not have removed, or of a part of one that it may', async () => {
    const monthly = await sampleExport([2, 1, 3, 2], samplePem(), (month) => new Date(Date.UTC(2026, month)));
    const at = { publicKeysPem: [monthly.publicKeyPem], latestCheckpoint: monthly.latest };
    // The audit service refused the first batch, so it is kept while the ones after it are removed.
    const refusedFirst = monthly.lines.filter((_, index) => index !== 3);
    expect(await verifyExport(refusedFirst, { ...at, retiredBefore: new Date('2026-02-02') })).toMatchObject({
      verified: true,
      retired: 1,
      retiredAfterKept: [{ firstSequence: 3, lastSequence: 3, batches: 1 }],
      events: 7,
      gaps: 0,
    });
    // Batches that follow one another are one range.
    const firstOnly = monthly.lines.filter((line, index) => index < 3 || line.startsWith('{"checkpoint"'));
    const report = await verifyExport(firstOnly, { ...at, retiredBefore: new Date('2026-12-31') });
    expect(report.retiredAfterKept).toEqual([{ firstSequence: 3, lastSequence: 8, batches: 3 }]);
    expect(wordsOf(report)).toContain('3 batches after kept ones were removed: events 3 to 8');
    expect(await verifyExport(refusedFirst, { ...at, retiredBefore: new Date('2026-01-02') })).toMatchObject({
      verified: false,
      gaps: 1,
      firstBad: { sequence: 3 },
    });
    expect(await verifyExport(refusedFirst, at)).toMatchObject({ verified: false, gaps: 1 });
    const partOfThird = monthly.lines.filter((_, index) => index !== 6);
    expect(await verifyExport(partOfThird, { ...at, retiredBefore: new Date('2026-12-31') })).toMatchObject({
      verified: false,
    });
    const withoutCheckpoint = monthly.lines.filter((_, index) => index !== 3 && index !== 4);
    expect(await verifyExport(withoutCheckpoint, { ...at, retiredBefore: new Date('2026-12-31') })).toMatchObject({
      verified: false,
    });
  });
});

describe('finds every mutation', () => {
  const at = fc.nat();
  const mutations: Readonly<Record<string, fc.Arbitrary<(lines: readonly string[]) => string[]>>> = {
    'of a character': fc.tuple(at, at, fc.nat({ max: 0xffff })).map(([line, place, code]) => (lines) => {
      const index = line % lines.length;
      const old = lines[index] ?? '';
      const position = place % old.length;
      return lines.with(index, old.slice(0, position) + String.fromCharCode(code) + old.slice(position + 1));
    }),
    'that deletes lines': fc.tuple(at, fc.integer({ min: 1, max: 20 })).map(
      ([line, count]) =>
        (lines) =>
          lines.toSpliced(line % lines.length, count),
    ),
    'that doubles a line': fc.tuple(at, at).map(
      ([from, to]) =>
        (lines) =>
          lines.toSpliced(to % (lines.length + 1), 0, lines[from % lines.length] ?? ''),
    ),
    'that moves a line': fc.tuple(at, at).map(([from, to]) => (lines) => {
      const rest = lines.toSpliced(from % lines.length, 1);
      return rest.toSpliced(to % (rest.length + 1), 0, lines[from % lines.length] ?? '');
    }),
    'that swaps events and makes their places anew': fc.tuple(at, at).map(([a, b]) => (lines) => {
      const [one, other] = [a % lines.length, b % lines.length];
      const swapped = lines.with(one, lines[other] ?? '').with(other, lines[one] ?? '');
      return swapped.map((line, index) => {
        const parsed = JSON.parse(line) as { event?: Record<string, unknown> };
        const was = JSON.parse(lines[index] ?? '') as { event?: Record<string, unknown> };
        if (parsed.event === undefined || was.event === undefined) return line;
        const { sequence, previousHash } = was.event;
        return canonicalJson({ event: { ...parsed.event, sequence, previousHash } });
      });
    }),
    'that cuts off the end': at.map((count) => (lines) => lines.slice(0, count % lines.length)),
  };

  test.each(Object.keys(mutations))('%s', async (name) => {
    const mutation = mutations[name];
    if (mutation === undefined) throw new Error('the mutation is in the table');
    await fc.assert(
      fc.asyncProperty(mutation, async (mutate) => {
        const mutated = mutate(sample.lines);
        fc.pre(mutated.join('\n') !== sample.lines.join('\n'));
        const report = await verifyExport(mutated, options);
        const first = mutated.findIndex((line, index) => line !== sample.lines[index]);
        const change = `line ${first}: ${mutated[first]} instead of ${sample.lines[first]}`;
        expect(report.verified, change).toBe(false);
        expect(report.firstBad, change).not.toBeNull();
      }),
      { numRuns: 300 },
    );
  });
});

test('a checkpoint that was given apart counts only with its signature', async () => {
  const latestCheckpoint: Checkpoint = { ...sample.latest, lastSequence: 99 };
  await expect(verifyExport(sample.lines, { ...options, latestCheckpoint })).rejects.toThrow(RangeError);
});
