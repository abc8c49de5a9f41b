import type { AuditEvent } from '../model/audit-event.ts';
import type { ChainedEvent, ChainHead, Checkpoint, SealedBatch } from '../model/chain.ts';
import { newId, type TenantId } from '../model/identifiers.ts';
import { OPERATIONS } from '../operations/catalog.ts';
import type { EvidenceStore } from '../ports/evidence-store.ts';

/** What an operation leaves that succeeded, with characters that databases do not like. */
export function sampleEvent(tenantId: TenantId, change: Partial<AuditEvent> = {}): AuditEvent {
  return {
    eventId: newId(),
    eventType: OPERATIONS.encrypt.event,
    timestamp: '2026-03-01T10:00:00.001Z',
    tenantId,
    actor: { type: 'service', id: 'token-1' },
    resource: { type: 'key', id: newId(), version: 1 },
    action: 'encrypt',
    result: 'success',
    context: { requestId: 'r-1', userAgent: 'nul \u0000 and \\u0000', source: 'api', ip: null },
    request: { contextKeys: [] },
    ...change,
  };
}

/** A batch of the right shape whose hashes and signature are worth nothing: the store looks at neither. */
export async function looseBatch(
  head: ChainHead,
  waiting: readonly unknown[],
  sealedAt = new Date(),
): Promise<SealedBatch> {
  // What waits is what these tests put there.
  const events = (waiting as readonly AuditEvent[]).map(
    (event, index): ChainedEvent => ({
      sequence: head.sequence + index + 1,
      previousHash: hashAt(head.sequence + index),
      hash: hashAt(head.sequence + index + 1),
      event,
    }),
  );
  const [first, last] = [events[0], events.at(-1)];
  if (first === undefined || last === undefined) throw new Error('a batch has events');
  const checkpoint: Checkpoint = {
    checkpointId: newId(),
    timestamp: sealedAt.toISOString(),
    tenantId: head.tenantId,
    merkleRoot: hashAt(0),
    eventCount: events.length,
    firstSequence: first.sequence,
    lastSequence: last.sequence,
    firstEventId: first.event.eventId,
    lastEventId: last.event.eventId,
    previousCheckpoint: head.checkpoint,
    signature: 'h..s',
  };
  return {
    events,
    checkpoint,
    head: {
      tenantId: head.tenantId,
      sequence: last.sequence,
      hash: last.hash,
      checkpoint: hashAt(last.sequence),
      last: checkpoint,
    },
  };
}

function hashAt(sequence: number): string {
  return sequence.toString(16).padStart(64, '0');
}

/** Seals what waits of a tenant, up to `limit` events. */
export function seal(store: EvidenceStore, tenantId: TenantId, limit = 100, sealedAt?: Date): Promise<number> {
  return store.extendChain(tenantId, limit, (head, waiting) => looseBatch(head, waiting, sealedAt));
}
