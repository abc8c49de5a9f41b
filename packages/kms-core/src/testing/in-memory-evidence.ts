import type { AuditEvent, AuditEventType } from '../model/audit-event.ts';
import type { ChainHead, Checkpoint, EvidenceBatch } from '../model/chain.ts';
import type { TenantId } from '../model/identifiers.ts';
import type {
  Delivery,
  DeliveryOutcome,
  EvidenceBacklog,
  EvidencePage,
  EvidenceQuery,
  EvidenceStore,
} from '../ports/evidence-store.ts';
import type { InMemoryStore } from './in-memory-store.ts';

/** The chain of one tenant. */
interface Chain {
  head: ChainHead;
  readonly batches: EvidenceBatch[];
  /** How many batches the audit service has, or refused. */
  passed: number;
  attempts: number;
  owner: string | null;
  /** Until when nobody else takes the next batch, in milliseconds since the epoch. */
  dueAt: number;
}

const NO_HASH = '0'.repeat(64);

/** The evidence of an in-memory store, for tests: what its units of work left, sealed and delivered as on a database. */
export class InMemoryEvidence implements EvidenceStore {
  readonly #store: InMemoryStore;
  readonly #clock: () => number;
  readonly #chains = new Map<TenantId, Chain>();
  #refused = 0;

  constructor(store: InMemoryStore, clock: () => number) {
    this.#store = store;
    this.#clock = clock;
  }

  async append(events: readonly AuditEvent[]): Promise<void> {
    await this.#store.transact({ kind: 'system' }, (unit) => unit.evidence.append(events));
  }

  async requireWritable(): Promise<void> {}

  async backlog(limit: number): Promise<EvidenceBacklog> {
    const chains = [...this.#chains.values()];
    const unsealed = this.#store.evidence().length - chains.reduce((sum, { head }) => sum + head.sequence, 0);
    return {
      unsealed: Math.min(limit, unsealed),
      undelivered: chains.reduce((sum, chain) => sum + undelivered(chain), 0),
      refused: this.#refused,
      attempts: Math.max(0, ...chains.map(({ attempts }) => attempts)),
    };
  }

  async tenants(): Promise<readonly TenantId[]> {
    return [...new Set(this.#store.evidence().map(({ tenantId }) => tenantId))];
  }

  async newestType(tenantId: TenantId, types: readonly AuditEventType[]): Promise<AuditEventType | undefined> {
    return this.#eventsOf(tenantId).findLast(({ eventType }) => types.includes(eventType))?.eventType;
  }

  async backlogByTenant(limit: number): Promise<ReadonlyMap<TenantId, number>> {
    const tenants = await this.tenants();
    return new Map(
      tenants.map((tenantId) => {
        const chain = this.#chains.get(tenantId);
        return [tenantId, Math.min(limit, this.#unsealed(tenantId).length) + (chain ? undelivered(chain) : 0)];
      }),
    );
  }

  async unsealedTenants(): Promise<readonly TenantId[]> {
    return (await this.tenants()).filter((tenantId) => this.#unsealed(tenantId).length > 0);
  }

  async extendChain(tenantId: TenantId, limit: number, make: Parameters<EvidenceStore['extendChain']>[2]) {
    const oldest = this.#unsealed(tenantId).slice(0, limit);
    if (oldest.length === 0) return 0;
    const before = this.#chains.get(tenantId);
    const { head, events, checkpoint } = await make(before?.head ?? emptyHead(tenantId), oldest);
    const chain = before ?? { head, batches: [], passed: 0, attempts: 0, owner: null, dueAt: 0 };
    chain.head = head;
    chain.batches.push({ events, checkpoint });
    this.#chains.set(tenantId, chain);
    return events.length;
  }

  async claimDelivery(owner: string, leaseSeconds: number): Promise<Delivery | undefined> {
    for (const chain of this.#chains.values()) {
      const batch = chain.batches[chain.passed];
      if (batch === undefined || chain.dueAt > this.#clock()) continue;
      chain.owner = owner;
      chain.dueAt = this.#clock() + leaseSeconds * 1000;
      return { ...batch, attempts: chain.attempts };
    }
    return undefined;
  }

  async renewDelivery(owner: string, { checkpoint }: Delivery, leaseSeconds: number): Promise<void> {
    const chain = this.#held(owner, checkpoint);
    if (chain !== undefined) chain.dueAt = this.#clock() + leaseSeconds * 1000;
  }

  async endDelivery(owner: string, { checkpoint }: Delivery, outcome: DeliveryOutcome): Promise<void> {
    const chain = this.#held(owner, checkpoint);
    if (chain === undefined) return;
    chain.owner = null;
    if (outcome.kind === 'postponed') {
      chain.attempts += 1;
      chain.dueAt = this.#clock() + outcome.seconds * 1000;
      return;
    }
    if (outcome.kind === 'refused') this.#refused += 1;
    chain.passed += 1;
    chain.attempts = 0;
    chain.dueAt = 0;
  }

  async events(tenantId: TenantId, query: EvidenceQuery): Promise<EvidencePage> {
    const { limit, beforeSequence, keyId, eventType, actorId, result, from, to } = query;
    const found = this.#batches(tenantId)
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
    return this.#batches(tenantId).find(({ events }) => events.some(({ event }) => event.eventId === eventId));
  }

  async checkpoints(tenantId: TenantId, limit: number, beforeSequence: number | null): Promise<readonly Checkpoint[]> {
    return this.#batches(tenantId)
      .map(({ checkpoint }) => checkpoint)
      .toReversed()
      .filter(({ firstSequence }) => beforeSequence === null || firstSequence < beforeSequence)
      .slice(0, limit);
  }

  async batchesAfter(tenantId: TenantId, sequence: number, limit: number): Promise<readonly EvidenceBatch[]> {
    return this.#batches(tenantId)
      .filter(({ checkpoint }) => checkpoint.firstSequence > sequence)
      .slice(0, limit);
  }

  async retire(before: Date, limit: number): Promise<number> {
    let retired = 0;
    for (const { batches, passed } of this.#chains.values()) {
      for (const [index, { events, checkpoint }] of batches.slice(0, passed).entries()) {
        if (retired === limit) return retired;
        if (events.length === 0 || checkpoint.timestamp >= before.toISOString()) continue;
        batches[index] = { events: [], checkpoint };
        retired += 1;
      }
    }
    return retired;
  }

  #eventsOf(tenantId: TenantId): readonly AuditEvent[] {
    return this.#store.evidence().filter((event) => event.tenantId === tenantId);
  }

  #unsealed(tenantId: TenantId): readonly AuditEvent[] {
    return this.#eventsOf(tenantId).slice(this.#chains.get(tenantId)?.head.sequence ?? 0);
  }

  #batches(tenantId: TenantId): readonly EvidenceBatch[] {
    return this.#chains.get(tenantId)?.batches ?? [];
  }

  #held(owner: string, { tenantId, firstSequence }: Checkpoint): Chain | undefined {
    const chain = this.#chains.get(tenantId);
    const isNext = chain?.batches[chain.passed]?.checkpoint.firstSequence === firstSequence;
    return chain?.owner === owner && isNext ? chain : undefined;
  }
}

function undelivered({ batches, passed }: Chain): number {
  return batches.slice(passed).reduce((sum, { events }) => sum + events.length, 0);
}

function emptyHead(tenantId: TenantId): ChainHead {
  return { tenantId, sequence: 0, hash: NO_HASH, checkpoint: null, last: null };
}
