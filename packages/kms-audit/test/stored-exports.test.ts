import { createReadStream, readFileSync } from 'node:fs';
import {
  type Checkpoint,
  checkpointHash,
  checkpointSigner,
  checkpointVerifier,
  exportLines,
  inclusionProblem,
  type InclusionProof,
  parseExportLine,
  sealBatch,
  verifyExport,
} from '@qnsp/kms-audit';
import { linesOf } from '../src/lines.ts';
import { describe, expect, test } from 'vitest';
import { sampleEvent, samplePem } from './audit-samples.ts';

// Written by the versions of the service that they are named for, and never written again: whoever keeps evidence keeps it
// for decades. It was signed by one key after another and back again, as by nodes that are restarted one by one with a new key, and one
// of their clocks was behind.
const at = (name: string) => new URL(`./fixtures/first-format-${name}`, import.meta.url);
const publicKeysPem = [0, 1, 2].map((key) => readFileSync(at(`key-${key}.pem`), 'utf8'));
const json = (name: string): unknown => JSON.parse(readFileSync(at(name), 'utf8'));

describe('evidence of the first format', () => {
  test('verifies as it did', async () => {
    const report = await verifyExport(linesOf(createReadStream(at('export.txt'))), {
      publicKeysPem,
      latestCheckpoint: json('latest.json') as Checkpoint,
    });
    expect(report).toMatchObject({ verified: true, events: 22, checkpoints: 6, gaps: 0, endProven: true, bad: [] });
    // What the first format cannot rule out is said all the same.
    expect(report.notes).toEqual([
      expect.stringMatching(/event 12 claims to be older/),
      expect.stringMatching(/signed again from event 12 on/),
      expect.stringMatching(/signed again from event 14 on/),
    ]);
  });

  test('proves one of its events', () => {
    const proof = json('proof.json') as InclusionProof;
    expect(inclusionProblem(proof, checkpointVerifier(publicKeysPem[0] ?? ''))).toBeUndefined();
  });
});

test('a chain of the first format goes on in the present one, and not back', async () => {
  const signer = checkpointSigner(samplePem());
  const lines = readFileSync(at('export.txt'), 'utf8').trimEnd().split('\n');
  const entries = lines.map((line) => parseExportLine(line));
  const last = json('latest.json') as Checkpoint;
  const end = entries.at(-2);
  if (end?.kind !== 'event') throw new Error('the export ends with a batch');
  const { tenantId, lastSequence } = last;
  const head = { tenantId, sequence: lastSequence, hash: end.entry.hash, checkpoint: checkpointHash(last), last };
  const batch = await sealBatch(signer, head, [sampleEvent({ tenantId })], new Date('2026-04-01T00:00:00Z'));
  const more = exportLines(batch.events, batch.checkpoint).trimEnd().split('\n');
  const keys = { publicKeysPem: [...publicKeysPem, signer.publicKeyPem] };
  expect(batch.checkpoint.signingKeys).toHaveLength(2);
  expect(await verifyExport([...lines, ...more], keys)).toMatchObject({ verified: true, events: 23 });
  expect(await verifyExport(more, { ...keys, after: last })).toMatchObject({ verified: true, events: 1 });
});
