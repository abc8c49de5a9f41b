import type { TenantId } from '../model/identifiers.ts';
import type { Store } from '../ports/store.ts';

/**
 * Counts the operations of each tenant for its statistics: in memory, and added to the store from time to time. A node
 * that is killed loses what it has not added yet; budgets, which must be exact, are counted elsewhere.
 */
export class OperationCounter {
  readonly #pending = new Map<TenantId, number>();

  /** Counts one operation. */
  count(tenantId: TenantId): void {
    this.#pending.set(tenantId, (this.#pending.get(tenantId) ?? 0) + 1);
  }

  /** What this node has counted and not added to the store yet. */
  pending(tenantId: TenantId): number {
    return this.#pending.get(tenantId) ?? 0;
  }

  /** Adds everything to the store. What can't be added is kept for the next time. */
  async flush(store: Store): Promise<void> {
    for (const [tenantId, count] of this.#pending) {
      await store.transact({ kind: 'tenant', tenantId }, (unit) => unit.keys.addOperations(count));
      const left = this.pending(tenantId) - count;
      if (left === 0) this.#pending.delete(tenantId);
      else this.#pending.set(tenantId, left);
    }
  }
}
