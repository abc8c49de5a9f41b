import { checkpointSigner, deliveryBody, exportLines, verifyExport } from '@qnsp/kms-audit';
import { MAX_BATCH_EVENTS, sealUnsealed } from '../src/seal-unsealed.ts';
import type { AuditEvent } from '@qnsp/kms-core';
import { expect, test, vi } from 'vitest';
import { sampleEvent, samplePem, TENANT } from './audit-samples.ts';
import { MemoryOutbox } from './memory-outbox.ts';

const LARGEST_BODY_BYTES = 512 * 1024;
const signer = checkpointSigner(samplePem());
const now = () => Date.parse('2026-03-01T10:00:01Z');

/** An event of about this many bytes: the names of its encryption context fill it. */
function eventOf(bytes: number): AuditEvent {
  return sampleEvent({ request: { contextKeys: ['k'.repeat(bytes)] } });
}

function outboxOf(events: readonly AuditEvent[]): MemoryOutbox {
  const outbox = new MemoryOutbox();
  outbox.add(events);
  return outbox;
}

function sizesOf({ batches }: MemoryOutbox): number[] {
  return batches.map(({ events }) => events.length);
}

test('a batch has at most 100 events, and all that waits is sealed in one turn', async () => {
  const outbox = outboxOf(Array.from({ length: 205 }, () => sampleEvent()));
  expect(await sealUnsealed(outbox, signer, TENANT, now)).toBe(false);
  expect(MAX_BATCH_EVENTS).toBe(100);
  expect(sizesOf(outbox)).toEqual([100, 100, 5]);
});

test('a delivery has at most 512 KB, and batches that are cut by it follow each other in one turn', async () => {
  const events = Array.from({ length: 60 }, () => eventOf(60_000));
  const outbox = outboxOf(events);
  expect(await sealUnsealed(outbox, signer, TENANT, now)).toBe(false);
  expect(outbox.waiting(TENANT)).toEqual([]);
  for (const batch of outbox.batches)
    expect(Buffer.byteLength(deliveryBody(batch))).toBeLessThanOrEqual(LARGEST_BODY_BYTES);
  // Not smaller than it must be, either.
  expect(sizesOf(outbox)).toEqual(Array(8).fill(8).with(7, 4));
  const lines = outbox.batches.flatMap((batch) => exportLines(batch.events, batch.checkpoint).trimEnd().split('\n'));
  const report = await verifyExport(lines, { publicKeysPem: [signer.publicKeyPem], expectedEvents: 60 });
  expect(report).toMatchObject({ verified: true, gaps: 0 });
});

test('events of every size are counted as they are delivered', async () => {
  // Escapes, characters of several bytes, and a size that ends just below the limit.
  for (const name of ['"'.repeat(250), '\u{1F511}'.repeat(250), 'ä'.repeat(2400)]) {
    const outbox = outboxOf(Array.from({ length: 400 }, () => sampleEvent({ request: { contextKeys: [name] } })));
    await sealUnsealed(outbox, signer, TENANT, now);
    expect(sizesOf(outbox).reduce((sum, size) => sum + size)).toBe(400);
    for (const batch of outbox.batches)
      expect(Buffer.byteLength(deliveryBody(batch))).toBeLessThanOrEqual(LARGEST_BODY_BYTES);
  }
});

test('one event that is larger than a batch is a batch by itself', async () => {
  const outbox = outboxOf([sampleEvent(), eventOf(600_000), sampleEvent()]);
  await sealUnsealed(outbox, signer, TENANT, now);
  expect(sizesOf(outbox)).toEqual([1, 1, 1]);
});

test('a turn ends after its share of batches, and says that there is more', async () => {
  const rest = vi.fn<(events: number) => Promise<void>>(async () => undefined);
  const outbox = outboxOf(Array.from({ length: 350 }, () => sampleEvent()));
  expect(await sealUnsealed(outbox, signer, TENANT, now, rest, 2)).toBe(true);
  expect(sizesOf(outbox)).toEqual([100, 100]);
  expect(await sealUnsealed(outbox, signer, TENANT, now, rest, 2)).toBe(false);
  expect(sizesOf(outbox)).toEqual([100, 100, 100, 50]);
  // After each batch there is time for others.
  expect(rest.mock.calls).toEqual([[100], [100], [100], [50]]);
});

test.each<[string, unknown]>([
  ['an event of another tenant', sampleEvent({ tenantId: '0198d2a4-7b1c-7000-8000-000000000002' })],
  ['an event with one more member', { ...sampleEvent(), plaintext: 'AAAA' }],
  [
    'an event whose facts hide a member',
    JSON.parse(
      JSON.stringify(sampleEvent({ changes: { before: null, after: { hidden: 1 } } })).replace('hidden', '__proto__'),
    ),
  ],
])('%s is not sealed', async (_what, stray) => {
  const outbox = new MemoryOutbox();
  outbox.waiting = () => [stray as AuditEvent];
  await expect(sealUnsealed(outbox, signer, TENANT, now)).rejects.toMatchObject({ code: 'INTERNAL_ERROR' });
});
