import type { MaybePromise } from '../base/maybe-promise.ts';
import { KmsError } from '../errors/kms-error.ts';
import { requireRoom } from '../errors/quota-exceeded.ts';
import type { TenantId } from '../model/identifiers.ts';
import { atMost, type Quotas } from '../model/quotas.ts';
import type { Store } from '../ports/store.ts';

/** What is known of a month of a tenant that may do only so many operations in it. */
interface LimitedMonth {
  /** In milliseconds since 1970. */
  readonly endsAt: number;
  /** How many were in the store when this node added its own. */
  readonly stored: number;
  readonly maximum: number;
}

/** The quotas of tenants. */
interface QuotasOfTenants {
  of(tenantId: TenantId): MaybePromise<Quotas>;
}

/**
 * Counts the operations of each tenant, and refuses what would be more than it may do in a month: in memory, and added to the store from
 * time to time. A node that is killed loses what it has not added yet, and one learns what the others counted when it adds its own;
 * budgets, which must be exact, are counted elsewhere.
 */
export class OperationCounter {
  readonly #pending = new Map<TenantId, number>();
  readonly #limited = new Map<TenantId, LimitedMonth>();

  /** Counts operations: one, unless there were more. */
  count(tenantId: TenantId, operations = 1): void {
    this.#pending.set(tenantId, (this.#pending.get(tenantId) ?? 0) + operations);
  }

  /** Throws `QUOTA_EXCEEDED` where the tenant is known to have done as many operations as it may in this month. */
  requireRoom(tenantId: TenantId, clock: () => number): void {
    if (this.#limited.size === 0) return;
    const month = this.#limitedMonth(tenantId, clock);
    if (month !== undefined) requireRoom('operationsPerMonth', month.stored + this.pending(tenantId), month.maximum);
  }

  /** Whether {@link requireRoom} would let each of so many operations pass, one after the other. */
  hasRoomFor(operations: number, tenantId: TenantId, clock: () => number): boolean {
    const month = this.#limitedMonth(tenantId, clock);
    return month === undefined || month.stored + this.pending(tenantId) + operations <= month.maximum;
  }

  /** What this node has counted and not added to the store yet. */
  pending(tenantId: TenantId): number {
    return this.#pending.get(tenantId) ?? 0;
  }

  #limitedMonth(tenantId: TenantId, clock: () => number): LimitedMonth | undefined {
    const month = this.#limited.get(tenantId);
    return month === undefined || clock() >= month.endsAt ? undefined : month;
  }

  /**
   * Adds everything to the store, and finds out who may do no more. What can't be added is kept for the next time.
   *
   * @param quotas default: nobody is refused anything from then on that was not before
   */
  async flush(store: Store, quotas?: QuotasOfTenants): Promise<void> {
    const refused = [...this.#limited].filter(([, { stored, maximum }]) => stored >= maximum);
    for (const tenantId of new Set([...this.#pending.keys(), ...refused.map(([id]) => id)])) {
      const maximum = quotas === undefined ? this.#limited.get(tenantId)?.maximum : await maximumOf(quotas, tenantId);
      const count = this.pending(tenantId);
      const { stored, now } = await store.transact({ kind: 'tenant', tenantId }, async (unit) => ({
        stored: await unit.keys.addOperations(count),
        now: unit.now,
      }));
      const left = this.pending(tenantId) - count;
      if (left === 0) this.#pending.delete(tenantId);
      else this.#pending.set(tenantId, left);
      if (maximum === undefined) this.#limited.delete(tenantId);
      else this.#limited.set(tenantId, { endsAt: nextMonth(now), stored, maximum });
    }
  }
}

async function maximumOf(quotas: QuotasOfTenants, tenantId: TenantId): Promise<number | undefined> {
  try {
    return atMost((await quotas.of(tenantId)).operationsPerMonth);
  } catch (error) {
    // Somebody changed the record of the tenant, for which each of its calls is refused. What it did counts all the same.
    if (KmsError.is(error) && error.code === 'INTERNAL_ERROR') return undefined;
    throw error;
  }
}

function nextMonth(now: Date): number {
  return Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1);
}
