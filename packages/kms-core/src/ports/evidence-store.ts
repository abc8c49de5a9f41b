import type { AuditEvent, AuditEventType, AuditResult } from '../model/audit-event.ts';
import type { ChainedEvent, ChainHead, Checkpoint, EvidenceBatch, SealedBatch } from '../model/chain.ts';
import type { TenantId } from '../model/identifiers.ts';

/**
 * Keeps evidence. An event is durable once it is appended; it gets its place in the chain of its tenant when it is sealed,
 * and from then on nothing of it changes. A store that can't be reached throws `STORE_UNAVAILABLE`.
 *
 * Contract (`testing/evidence-store-contract.ts`).
 */
export interface EvidenceStore {
  /** Makes events durable, all or none, in a unit of work of their own. */
  append(events: readonly AuditEvent[]): Promise<void>;
  /** Writes an event as `append` does and takes it back: throws when the store takes no writes, and leaves nothing. */
  requireWritable(): Promise<void>;
  /** What waits; unsealed events are counted up to `limit`. */
  backlog(limit: number): Promise<EvidenceBacklog>;
  /** Tenants that have evidence, sealed or not. */
  tenants(): Promise<readonly TenantId[]>;
  /** The type of the newest event of a tenant that has one of these types, sealed or not; `undefined` when there is none. */
  newestType(tenantId: TenantId, types: readonly AuditEventType[]): Promise<AuditEventType | undefined>;
  /** How many events of each tenant are waiting; of those not yet sealed, up to `limit` are counted. */
  backlogByTenant(limit: number): Promise<ReadonlyMap<TenantId, number>>;
  /** Tenants with events that are not sealed. */
  unsealedTenants(): Promise<readonly TenantId[]>;
  /**
   * Seals the oldest unsealed events of a tenant in one unit of work. Of several nodes one does so at a time.
   *
   * @param make gives the events their places after the head and signs them; how many it takes, the first ones, is its
   *   choice
   * @returns how many events were sealed: 0 when there are none, or when another node is doing it
   */
  extendChain(
    tenantId: TenantId,
    limit: number,
    make: (head: ChainHead, events: readonly unknown[]) => Promise<SealedBatch>,
  ): Promise<number>;
  /**
   * Takes the oldest batch of some tenant that is due to be delivered, for `leaseSeconds`: until then, or until the outcome
   * is known, nobody else gets a batch of that tenant. Of several tenants the one that was served longest ago comes first.
   * Throws `INTERNAL_ERROR` when a batch that is due is not there, and leaves that tenant out for `leaseSeconds`.
   */
  claimDelivery(owner: string, leaseSeconds: number): Promise<Delivery | undefined>;
  /** Has the lease of a delivery end so much later than now, unless it has passed on to another owner. */
  renewDelivery(owner: string, delivery: Delivery, leaseSeconds: number): Promise<void>;
  /** Ends a delivery, unless its lease has passed on to another owner. */
  endDelivery(owner: string, delivery: Delivery, outcome: DeliveryOutcome): Promise<void>;
  /** A page of a tenant's sealed events, newest first. */
  events(tenantId: TenantId, query: EvidenceQuery): Promise<EvidencePage>;
  /** The batch that holds an event, `undefined` when there is none; its events may be gone by retention. */
  batchOf(tenantId: TenantId, eventId: string): Promise<EvidenceBatch | undefined>;
  /** A page of a tenant's checkpoints, newest first, of events before `beforeSequence`. */
  checkpoints(tenantId: TenantId, limit: number, beforeSequence: number | null): Promise<readonly Checkpoint[]>;
  /** The batches after a place in the chain, oldest first; those that retention emptied have no events. */
  batchesAfter(tenantId: TenantId, sequence: number, limit: number): Promise<readonly EvidenceBatch[]>;
  /** Removes the events of up to `limit` delivered batches that were sealed before; their checkpoints stay. Answers how many batches. */
  retire(before: Date, limit: number): Promise<number>;
}

/** What reads evidence that is sealed. */
export type EvidenceReader = Pick<EvidenceStore, 'events' | 'batchOf' | 'checkpoints' | 'batchesAfter'>;

/** How much evidence waits. */
export interface EvidenceBacklog {
  /** Events that are not sealed, or the limit when there are more. */
  readonly unsealed: number;
  /** Events that are sealed and not delivered. */
  readonly undelivered: number;
  /** Batches that the audit service permanently refused. */
  readonly refused: number;
  /** The highest number of failed attempts among the batches that are next; 0 if all is well. */
  readonly attempts: number;
}

/** A batch to deliver. */
export interface Delivery extends EvidenceBatch {
  /** How often it was tried. */
  readonly attempts: number;
}

/** What became of the delivery of a batch. */
export type DeliveryOutcome =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'postponed'; readonly seconds: number }
  | { readonly kind: 'refused'; readonly reason: string };

/** Which sealed events are listed: those that meet all of it, newest first. */
export interface EvidenceQuery {
  readonly limit: number;
  /** Only events before this place. */
  readonly beforeSequence: number | null;
  readonly keyId?: string;
  readonly eventType?: AuditEventType;
  readonly actorId?: string;
  readonly result?: AuditResult;
  readonly from?: Date;
  readonly to?: Date;
}

/** A page of sealed events. */
export interface EvidencePage {
  readonly items: readonly ChainedEvent[];
  readonly more: boolean;
}
