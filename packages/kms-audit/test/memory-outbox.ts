import { emptyChain, type SealedBatch } from '@qnsp/kms-audit';
import type { AuditEvent, TenantId } from '@qnsp/kms-core';
import type { ChainHead, EvidenceBacklog, EvidenceStore } from '@qnsp/kms-core/ports';

/** What sealing needs of a store, in memory. */
export class MemoryOutbox
  implements Pick<EvidenceStore, 'unsealedTenants' | 'extendChain' | 'backlog' | 'backlogByTenant'>
{
  readonly batches: SealedBatch[] = [];
  /** Called at the beginning of each turn of a tenant. */
  onExtend: (tenantId: TenantId) => void = () => undefined;
  readonly #waiting = new Map<TenantId, AuditEvent[]>();
  readonly #heads = new Map<TenantId, ChainHead>();

  add(events: readonly AuditEvent[]): void {
    for (const event of events) this.#waiting.set(event.tenantId, [...this.waiting(event.tenantId), event]);
  }

  waiting(tenantId: TenantId): readonly AuditEvent[] {
    return this.#waiting.get(tenantId) ?? [];
  }

  async unsealedTenants(): Promise<readonly TenantId[]> {
    return [...this.#waiting.keys()].filter((tenantId) => this.waiting(tenantId).length > 0);
  }

  async backlog(limit: number): Promise<EvidenceBacklog> {
    const unsealed = [...this.#waiting.values()].reduce((sum, events) => sum + events.length, 0);
    return { unsealed: Math.min(limit, unsealed), undelivered: 0, refused: 0, attempts: 0 };
  }

  async backlogByTenant(): Promise<ReadonlyMap<TenantId, number>> {
    return new Map([...this.#waiting].map(([tenantId, events]) => [tenantId, events.length]));
  }

  async extendChain(tenantId: TenantId, limit: number, make: Parameters<EvidenceStore['extendChain']>[2]) {
    this.onExtend(tenantId);
    const oldest = this.waiting(tenantId).slice(0, limit);
    if (oldest.length === 0) return 0;
    const batch = await make(this.#heads.get(tenantId) ?? emptyChain(tenantId), oldest);
    this.batches.push(batch);
    this.#heads.set(tenantId, batch.head);
    this.#waiting.set(tenantId, this.waiting(tenantId).slice(batch.events.length));
    return batch.events.length;
  }
}
