import { KmsError } from '../errors/kms-error.ts';
import type { AuditEvent, AuditEventType } from '../model/audit-event.ts';
import type { ChainedEvent, ChainHead, Checkpoint, EvidenceBatch } from '../model/chain.ts';
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
import { copyOf } from './store-memory-tables.ts';

interface MemoryBatch {
  readonly checkpoint: Checkpoint;
  events: readonly ChainedEvent[];
  refused: boolean;
  retired: boolean;
}

interface MemoryChain {
  head: ChainHead;
  readonly batches: MemoryBatch[];
  /** Of the last event that was delivered, or refused. */
  delivered: number;
  attempts: number;
  /** From when on the next batch is due. */
  dueAt: number;
  /** Which of all turns its last one was. */
  turn: number;
  lease: { readonly owner: string; readonly until: number } | null;
}

/** The evidence of an in-memory store, for tests: what its units of work left, sealed and delivered as on a database. */
export class InMemoryEvidence implements EvidenceStore {
  readonly #store: InMemoryStore;
  readonly #clock: () => number;
  readonly #chains = new Map<TenantId, MemoryChain>();
  readonly #sealed = new Set<AuditEvent>();
  /** Tenants whose chain is being extended. */
  readonly #busy = new Set<TenantId>();
  #turns = 0;

  constructor(store: InMemoryStore, clock: () => number) {
    this.#store = store;
    this.#clock = clock;
  }

  append(events: readonly AuditEvent[]): Promise<void> {
    return this.#store.transact({ kind: 'system' }, (unit) => unit.evidence.append(events));
  }

  async requireWritable(): Promise<void> {}

  async backlog(limit: number): Promise<EvidenceBacklog> {
    const open = this.#undelivered();
    const batches = [...this.#chains.values()].flatMap((chain) => chain.batches);
    return {
      unsealed: Math.min(limit, this.#waiting().length),
      undelivered: open.reduce((sum, { head, delivered }) => sum + head.sequence - delivered, 0),
      refused: batches.filter(({ refused }) => refused).length,
      attempts: Math.max(0, ...open.map(({ attempts }) => attempts)),
    };
  }

  async backlogByTenant(limit: number): Promise<ReadonlyMap<TenantId, number>> {
    const counts = new Map<TenantId, number>();
    const count = (tenantId: TenantId, events: number) => counts.set(tenantId, (counts.get(tenantId) ?? 0) + events);
    for (const { tenantId } of this.#waiting().slice(0, limit)) count(tenantId, 1);
    for (const { head, delivered } of this.#undelivered()) count(head.tenantId, head.sequence - delivered);
    return counts;
  }

  async tenants(): Promise<readonly TenantId[]> {
    return [...new Set([...this.#chains.keys(), ...(await this.unsealedTenants())])];
  }

  async unsealedTenants(): Promise<readonly TenantId[]> {
    return [...new Set(this.#waiting().map(({ tenantId }) => tenantId))];
  }

  async newestType(tenantId: TenantId, types: readonly AuditEventType[]): Promise<AuditEventType | undefined> {
    const all = [...this.#sealedOf(tenantId).map(({ event }) => event), ...this.#waitingOf(tenantId)];
    return all.findLast(({ eventType }) => types.includes(eventType))?.eventType;
  }

  async extendChain(
    tenantId: TenantId,
    limit: number,
    make: Parameters<EvidenceStore['extendChain']>[2],
  ): Promise<number> {
    const waiting = this.#waitingOf(tenantId).slice(0, limit);
    if (waiting.length === 0 || this.#busy.has(tenantId)) return 0;
    this.#busy.add(tenantId);
    try {
      const chain = this.#chains.get(tenantId) ?? newChain(tenantId);
      const batch = await make(copyOf(chain.head), copyOf(waiting));
      const taken = batch.events.length;
      if (taken === 0 || taken > waiting.length || batch.head.sequence !== chain.head.sequence + taken)
        throw new KmsError('INTERNAL_ERROR', 'A batch does not continue where the chain ends.');
      const { events, checkpoint } = copyOf(batch);
      chain.batches.push({ events, checkpoint, refused: false, retired: false });
      chain.head = copyOf(batch.head);
      this.#chains.set(tenantId, chain);
      for (const event of waiting.slice(0, taken)) this.#sealed.add(event);
      return taken;
    } finally {
      this.#busy.delete(tenantId);
    }
  }

  async claimDelivery(owner: string, leaseSeconds: number): Promise<Delivery | undefined> {
    const now = this.#clock();
    const [chain] = this.#undelivered()
      .filter(({ dueAt, lease }) => dueAt <= now && (lease === null || lease.until <= now))
      .sort((a, b) => a.turn - b.turn || (a.head.tenantId < b.head.tenantId ? -1 : 1));
    if (chain === undefined) return undefined;
    chain.lease = { owner, until: now + leaseSeconds * 1000 };
    const { tenantId } = chain.head;
    const batch = chain.batches.find(({ checkpoint }) => checkpoint.firstSequence === chain.delivered + 1);
    if (batch === undefined)
      throw new KmsError('INTERNAL_ERROR', `The next batch of the tenant ${tenantId} does not exist.`);
    return copyOf({ events: batch.events, checkpoint: batch.checkpoint, attempts: chain.attempts });
  }

  async renewDelivery(owner: string, delivery: Delivery, leaseSeconds: number): Promise<void> {
    const chain = this.#leased(owner, delivery);
    if (chain !== undefined) chain.lease = { owner, until: this.#clock() + leaseSeconds * 1000 };
  }

  async endDelivery(owner: string, delivery: Delivery, outcome: DeliveryOutcome): Promise<void> {
    const chain = this.#leased(owner, delivery);
    if (chain === undefined) return;
    this.#turns += 1;
    chain.turn = this.#turns;
    chain.lease = null;
    chain.dueAt = this.#clock() + (outcome.kind === 'postponed' ? outcome.seconds * 1000 : 0);
    chain.attempts = outcome.kind === 'postponed' ? delivery.attempts + 1 : 0;
    if (outcome.kind === 'postponed') return;
    const { firstSequence, lastSequence } = delivery.checkpoint;
    chain.delivered = lastSequence;
    const batch = chain.batches.find(({ checkpoint }) => checkpoint.firstSequence === firstSequence);
    if (batch !== undefined) batch.refused = outcome.kind === 'refused';
  }

  async events(tenantId: TenantId, query: EvidenceQuery): Promise<EvidencePage> {
    const { limit, beforeSequence, keyId, eventType, actorId, result, from, to } = query;
    const found = this.#sealedOf(tenantId)
      .filter(({ sequence }) => beforeSequence === null || sequence < beforeSequence)
      .filter(({ event }) => keyId === undefined || (event.resource.type === 'key' && event.resource.id === keyId))
      .filter(({ event }) => eventType === undefined || event.eventType === eventType)
      .filter(({ event }) => actorId === undefined || event.actor.id === actorId)
      .filter(({ event }) => result === undefined || event.result === result)
      .filter(({ event }) => from === undefined || new Date(event.timestamp) >= from)
      .filter(({ event }) => to === undefined || new Date(event.timestamp) < to)
      .toReversed();
    return { items: copyOf(found.slice(0, limit)), more: found.length > limit };
  }

  async batchOf(tenantId: TenantId, eventId: string): Promise<EvidenceBatch | undefined> {
    return this.#batchesOf(tenantId).find(({ events }) => events.some(({ event }) => event.eventId === eventId));
  }

  async checkpoints(tenantId: TenantId, limit: number, beforeSequence: number | null): Promise<readonly Checkpoint[]> {
    return this.#batchesOf(tenantId)
      .map(({ checkpoint }) => checkpoint)
      .filter(({ firstSequence }) => beforeSequence === null || firstSequence < beforeSequence)
      .toReversed()
      .slice(0, limit);
  }

  async batchesAfter(tenantId: TenantId, sequence: number, limit: number): Promise<readonly EvidenceBatch[]> {
    return this.#batchesOf(tenantId)
      .filter(({ checkpoint }) => checkpoint.firstSequence > sequence)
      .slice(0, limit);
  }

  async retire(before: Date, limit: number): Promise<number> {
    const old = [...this.#chains.values()]
      .flatMap(({ batches, delivered }) => batches.filter(({ checkpoint }) => checkpoint.lastSequence <= delivered))
      .filter((batch) => new Date(batch.checkpoint.timestamp) < before && !batch.refused && !batch.retired)
      .slice(0, limit);
    for (const batch of old) Object.assign(batch, { events: [], retired: true });
    return old.length;
  }

  #waiting(): readonly AuditEvent[] {
    return this.#store.evidence().filter((event) => !this.#sealed.has(event));
  }

  #waitingOf(tenantId: TenantId): readonly AuditEvent[] {
    return this.#waiting().filter((event) => event.tenantId === tenantId);
  }

  #batchesOf(tenantId: TenantId): EvidenceBatch[] {
    const batches = this.#chains.get(tenantId)?.batches ?? [];
    return batches.map(({ events, checkpoint }) => copyOf({ events, checkpoint }));
  }

  #sealedOf(tenantId: TenantId): ChainedEvent[] {
    return this.#batchesOf(tenantId).flatMap(({ events }) => events);
  }

  #undelivered(): MemoryChain[] {
    return [...this.#chains.values()].filter(({ head, delivered }) => delivered < head.sequence);
  }

  #leased(owner: string, { checkpoint }: Delivery): MemoryChain | undefined {
    const chain = this.#chains.get(checkpoint.tenantId);
    return chain?.lease?.owner === owner && chain.delivered === checkpoint.firstSequence - 1 ? chain : undefined;
  }
}

function newChain(tenantId: TenantId): MemoryChain {
  const head = { tenantId, sequence: 0, hash: '0'.repeat(64), checkpoint: null, last: null };
  return { head, batches: [], delivered: 0, attempts: 0, dueAt: -Infinity, turn: 0, lease: null };
}
