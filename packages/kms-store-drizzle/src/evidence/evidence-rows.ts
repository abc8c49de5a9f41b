import type { AuditEvent } from '@qnsp/kms-core';
import type { ChainedEvent, Checkpoint } from '@qnsp/kms-core/ports';
import { evidenceEvents } from '../schema/evidence.ts';

/** The columns that make a chained event. */
export const chainedEventColumns = {
  sequence: evidenceEvents.sequence,
  previousHash: evidenceEvents.previousHash,
  hash: evidenceEvents.hash,
  event: evidenceEvents.event,
};

interface ChainedEventRow {
  readonly sequence: number;
  readonly previousHash: string;
  readonly hash: string;
  readonly event: string;
}

/** The event of a row. If it was changed behind the store's back, its hash differs from the one it names. */
export function toChainedEvent({ sequence, previousHash, hash, event }: ChainedEventRow): ChainedEvent {
  return { sequence, previousHash, hash, event: JSON.parse(event) as AuditEvent };
}

export function toCheckpoint(row: { readonly checkpoint: string }): Checkpoint {
  return JSON.parse(row.checkpoint) as Checkpoint;
}

/** Where the events of outbox rows go in their chain, and what they are searched by, as one JSON parameter. */
export function placeRows(ids: readonly number[], events: readonly ChainedEvent[]): string {
  return JSON.stringify(
    events.map(({ sequence, previousHash, hash, event }, index) => ({
      id: ids[index],
      sequence,
      // The row is known by the id under which it waited.
      event_id: event.repeats ?? event.eventId,
      // Only what was changed on the way needs to be sent.
      event: event.repeats === undefined ? null : JSON.stringify(event),
      occurred_at: event.timestamp,
      event_type: event.eventType,
      actor_id: event.actor.id,
      key_id: event.resource.type === 'key' ? event.resource.id : null,
      result: event.result,
      previous_hash: previousHash,
      hash,
    })),
  );
}
