import {
  checkpointVerifier,
  inclusionProblem,
  proveInclusion,
  sealBatch,
  checkpointSigner,
  emptyChain,
  toCef,
} from '@qnsp/kms-audit';
import { expect, test } from 'vitest';
import { sampleEvent, sampleExport, samplePem, TENANT } from './audit-samples.ts';

test('every event of a batch has a proof that holds without the others, and only for it', async () => {
  const { batches, latest, publicKeyPem } = await sampleExport([1, 7]);
  const verifier = checkpointVerifier(publicKeyPem);
  for (const { events, checkpoint } of batches) {
    for (const { event } of events) {
      const proof = proveInclusion(events, checkpoint, event.eventId);
      if (proof === undefined) throw new Error('the event is in its batch');
      expect(inclusionProblem(proof, verifier)).toBeUndefined();
      const edited = { ...proof.event, event: { ...event, result: 'failure' as const } };
      expect(inclusionProblem({ ...proof, event: edited }, verifier)).toMatch(/hash/);
      expect(inclusionProblem({ ...proof, leafIndex: proof.leafIndex + 1 }, verifier)).toMatch(/place/);
      expect(inclusionProblem({ ...proof, path: [...proof.path, 'f'.repeat(64)] }, verifier)).toMatch(/root/);
      expect(
        inclusionProblem({ ...proof, checkpoint: { ...checkpoint, timestamp: '2026-01-01T00:00:00.000Z' } }, verifier),
      ).toMatch(/signature/);
    }
  }
  const [batch] = batches;
  expect(proveInclusion(batch?.events ?? [], latest, TENANT)).toBeUndefined();
});

test('an event of another tenant does not get into a chain', async () => {
  const signer = checkpointSigner(samplePem());
  const stray = sampleEvent({ tenantId: '0198d2a4-7b1c-7000-8000-000000000002' });
  await expect(sealBatch(signer, emptyChain(TENANT), [sampleEvent(), stray], new Date())).rejects.toThrow(RangeError);
  await expect(sealBatch(signer, emptyChain(TENANT), [], new Date())).rejects.toThrow(RangeError);
});

test('a line of CEF cannot be split or extended by what an event holds', async () => {
  const { batches } = await sampleExport([1]);
  const [entry] = batches[0]?.events ?? [];
  if (entry === undefined) throw new Error('the batch has an event');
  const userAgent = 'a=b\\c|d\nCEF:0|x outcome=forged';
  const event = sampleEvent({ context: { requestId: 'r', userAgent, source: 'api', ip: '2001:db8::1' } });
  const line = toCef({ ...entry, event }, '1|0');
  expect(line).not.toContain('\n');
  expect(line).toMatch(/^CEF:0\|QNSP\|KMS\|1\\\|0\|kms\.encrypt\|encrypt\|3\|rt=\d+ externalId=/);
  expect(line).toContain(String.raw`requestClientApplication=a\=b\\c|d\nCEF:0|x outcome\=forged `);
  expect(line).toContain('c6a2=2001:db8::1');
  expect(line.match(/ outcome=/g)).toHaveLength(1);
});

test('a refusal in CEF stands for those that left no event', async () => {
  const { batches } = await sampleExport([1]);
  const [entry] = batches[0]?.events ?? [];
  if (entry === undefined) throw new Error('the batch has an event');
  const event = sampleEvent({ result: 'denied', errorCode: 'UNAUTHORIZED', refusedFor: 'expired', refusedBefore: 41 });
  expect(toCef({ ...entry, event }, '1')).toMatch(/ reason=UNAUTHORIZED cnt=42 .* cs5Label=refusedFor cs5=expired /);
  expect(toCef({ ...entry, event: sampleEvent() }, '1')).not.toMatch(/cnt=|cs5/);
});
