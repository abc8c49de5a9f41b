import { createReadStream, readFileSync } from 'node:fs';
import {
  type Checkpoint,
  checkpointVerifier,
  inclusionProblem,
  type InclusionProof,
  linesOf,
  verifyExport,
} from '@qnsp/kms-audit';
import { describe, expect, test } from 'vitest';

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
  });

  test('proves one of its events', () => {
    const proof = json('proof.json') as InclusionProof;
    expect(inclusionProblem(proof, checkpointVerifier(publicKeysPem[0] ?? ''))).toBeUndefined();
  });
});
