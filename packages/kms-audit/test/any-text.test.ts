import {
  checkpointSigner,
  emptyChain,
  exportLines,
  type Line,
  runAuditExport,
  type SealedBatch,
  sealBatch,
  toCef,
  verifyExport,
} from '@qnsp/kms-audit';
import { linesOf } from '../src/lines.ts';
import type { AuditEvent } from '@qnsp/kms-core';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { sampleEvent, samplePem, TENANT } from './audit-samples.ts';

/** What any reader takes for the end of a line: these are all that Unicode and Python name. */
// oxlint-disable-next-line no-control-regex
const LINE_ENDS = /[\n\r\u000b\u000c\u001c-\u001e\u0085\u2028\u2029]/;
const signer = checkpointSigner(samplePem());
const at = { publicKeysPem: [signer.publicKeyPem] };

/** Every place of an event that holds what a caller wrote. */
function eventWith(text: string): AuditEvent {
  return sampleEvent({
    actor: { type: 'service', id: text },
    resource: { type: 'token', id: text, version: null },
    context: { requestId: text, userAgent: text, source: 'api', ip: text },
    request: { contextKeys: [text, `${text}.`] },
    changes: { before: null, after: { name: text, metadataKeys: [text], [`f${text}`]: 1 } },
  });
}

async function seal(texts: readonly string[], size: number): Promise<SealedBatch[]> {
  const batches: SealedBatch[] = [];
  let head = emptyChain(TENANT);
  for (let from = 0; from < texts.length; from += size) {
    const events = texts.slice(from, from + size).map(eventWith);
    const batch = await sealBatch(signer, head, events, new Date('2026-03-01T10:00:01Z'));
    batches.push(batch);
    ({ head } = batch);
  }
  return batches;
}

async function* bytesOf(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text, 'utf8');
}

function textOf(batches: readonly SealedBatch[]): string {
  return batches.map(({ events, checkpoint }) => exportLines(events, checkpoint)).join('');
}

/** All of Unicode but surrogates, which are no characters, in texts of 1,024. */
function allOfUnicode(): string[] {
  const texts: string[] = [];
  for (let first = 0; first <= 0x10_ff_ff; first += 1024) {
    const codes = Array.from({ length: 1024 }, (_, index) => first + index);
    if (first < 0xd8_00 || first > 0xdf_ff) texts.push(String.fromCodePoint(...codes));
  }
  return texts;
}

describe('a genuine export verifies, whatever callers wrote', () => {
  let batches: SealedBatch[];
  beforeAll(async () => {
    batches = await seal(allOfUnicode(), 100);
  });

  test('with each character that there is', async () => {
    const report = await verifyExport(linesOf(bytesOf(textOf(batches))), at);
    expect(report).toMatchObject({ verified: true, events: 1086, gaps: 0, bad: [] });
  });

  test('also when it came page by page', async () => {
    const written: string[] = [];
    const latest = await runAuditExport(
      {
        latestCheckpoint: async () => batches.at(-1)?.checkpoint,
        page: async (after) => textOf(batches.filter(({ checkpoint }) => checkpoint.firstSequence > after).slice(0, 2)),
      },
      (text) => void written.push(text),
    );
    expect(latest).toEqual(batches.at(-1)?.checkpoint);
    expect(written.join('')).toBe(textOf(batches));
  });

  test('and one event is one line of CEF, whoever reads it', () => {
    for (const { events } of batches) for (const event of events) expect(toCef(event, '1.0.0')).not.toMatch(LINE_ENDS);
  });
});

test('a line that is wrong does not keep the others from being checked', async () => {
  const batches = await seal(
    Array.from({ length: 12 }, (_, index) => `text ${index}`),
    3,
  );
  const lines = textOf(batches).trimEnd().split('\n');
  const wrong: fc.Arbitrary<Line> = fc.oneof(
    fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\n', '')),
    fc.constant({ problem: 'the line is not UTF-8', bytes: 7 }),
    fc.constant('{"event":{}}'),
  );
  const last = lines.findLastIndex((line) => line.startsWith('{"event"'));
  const edited = (lines[last] ?? '').replace('"success"', '"failure"');
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: last - 4 }), wrong, async (index, instead) => {
      const report = await verifyExport((lines as Line[]).with(index, instead).with(last, edited), at);
      // The batch of the first is found, and the other one far behind it as well; those between them are as they were signed.
      expect(report.firstBad).toMatchObject({ line: expect.any(Number) });
      expect(report.firstBad?.line).toBeLessThanOrEqual(Math.ceil((index + 2) / 4) * 4);
      expect(report.bad.at(-1)).toMatchObject({ line: last + 1, sequence: 12, reason: /changed/ });
      expect(report.badPlaces).toBeLessThanOrEqual(4);
      expect(report.checkpoints).toBeGreaterThanOrEqual(1);
    }),
  );
});

test('a text that is no text is not sealed as another one', async () => {
  await expect(seal(['\ud800'], 1)).rejects.toThrow(TypeError);
});
