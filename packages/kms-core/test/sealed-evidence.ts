import { randomBytes } from 'node:crypto';
import {
  type AuditEvent,
  type ChainedEvent,
  type EvidenceBatch,
  type EvidencePage,
  type EvidenceQuery,
  type EvidenceReader,
  newId,
  type TenantId,
} from '../src/exports/internal.ts';

/** Evidence that is sealed already, in memory: batches of a tenant, oldest first. */
export class SealedEvidence implements EvidenceReader {
  readonly #batches = new Map<TenantId, readonly EvidenceBatch[]>();

  /** Seals events as a batch after those that the tenant has. What signs them is no matter here. */
  add(tenantId: TenantId, events: readonly AuditEvent[]): void {
    const before = this.#batches.get(tenantId) ?? [];
    const last = before.at(-1)?.checkpoint.lastSequence ?? 0;
    const hash = () => randomBytes(32).toString('hex');
    const chained = events.map(
      (event, index): ChainedEvent => ({ sequence: last + index + 1, previousHash: hash(), hash: hash(), event }),
    );
    const checkpoint = {
      checkpointId: newId(),
      timestamp: new Date(0).toISOString(),
      tenantId,
      merkleRoot: hash(),
      eventCount: events.length,
      firstSequence: last + 1,
      lastSequence: last + events.length,
      firstEventId: events[0]?.eventId ?? '',
      lastEventId: events.at(-1)?.eventId ?? '',
      previousCheckpoint: null,
      signature: '',
    };
    this.#batches.set(tenantId, [...before, { events: chained, checkpoint }]);
  }

  async events(tenantId: TenantId, query: EvidenceQuery): Promise<EvidencePage> {
    const { limit, beforeSequence, keyId, eventType, actorId, result, from, to } = query;
    const found = this.#of(tenantId)
      .flatMap(({ events }) => events)
      .toReversed()
      .filter(
        ({ sequence, event }) =>
          (beforeSequence === null || sequence < beforeSequence) &&
          (keyId === undefined || event.resource.id === keyId) &&
          (eventType === undefined || event.eventType === eventType) &&
          (actorId === undefined || event.actor.id === actorId) &&
          (result === undefined || event.result === result) &&
          (from === undefined || event.timestamp >= from.toISOString()) &&
          (to === undefined || event.timestamp < to.toISOString()),
      );
    return { items: found.slice(0, limit), more: found.length > limit };
  }

  async batchOf(tenantId: TenantId, eventId: string): Promise<EvidenceBatch | undefined> {
    return this.#of(tenantId).find(({ events }) => events.some(({ event }) => event.eventId === eventId));
  }

  async checkpoints(tenantId: TenantId, limit: number, before: number | null): Promise<EvidenceBatch['checkpoint'][]> {
    return this.#of(tenantId)
      .map(({ checkpoint }) => checkpoint)
      .toReversed()
      .filter(({ firstSequence }) => before === null || firstSequence < before)
      .slice(0, limit);
  }

  async batchesAfter(tenantId: TenantId, sequence: number, limit: number): Promise<readonly EvidenceBatch[]> {
    return this.#of(tenantId)
      .filter(({ checkpoint }) => checkpoint.firstSequence > sequence)
      .slice(0, limit);
  }

  #of(tenantId: TenantId): readonly EvidenceBatch[] {
    return this.#batches.get(tenantId) ?? [];
  }
}
