import type { AuditEvent, EvidenceBatch } from '@qnsp/kms-core';
import type { ChainedEvent, Checkpoint } from '@qnsp/kms-core/ports';
import type { Database, Row } from './database.ts';

/** The columns of an event behind its tenant. */
export function valuesOf({ sequence, previousHash, hash, event }: ChainedEvent) {
  const { eventId, eventType, actor, resource, result, timestamp } = event;
  const keyId = resource.type === 'key' ? resource.id : null;
  return [
    sequence,
    eventId,
    eventType,
    actor.id,
    keyId,
    result,
    Date.parse(timestamp),
    previousHash,
    hash,
    JSON.stringify(event),
  ];
}

export function toChainedEvent(row: Row): ChainedEvent {
  return {
    sequence: Number(row['sequence']),
    previousHash: String(row['previous_hash']),
    hash: String(row['hash']),
    // What was changed behind the store's back no longer has the hash that it names.
    event: JSON.parse(String(row['event'])) as AuditEvent,
  };
}

export function toCheckpoint(row: Row): Checkpoint {
  // Its signature says whether it is one.
  return JSON.parse(String(row['checkpoint'])) as Checkpoint;
}

/** The batch of a checkpoint. */
export function toBatch(database: Database, row: Row): EvidenceBatch {
  const { tenant_id: tenantId, first_sequence: first, last_sequence: last } = row;
  const events = database.rows(
    'select * from events where tenant_id = ? and sequence between ? and ? order by sequence',
    String(tenantId),
    Number(first),
    Number(last),
  );
  return { events: events.map(toChainedEvent), checkpoint: toCheckpoint(row) };
}
