import { requireEveryKey, requirePermission } from '../access/caller.ts';
import { checkId } from '../bounds/check-values.ts';
import { OPERATIONS } from './catalog.ts';
import type { Operation } from './operation.ts';

/** How many keys a tenant has, and how much they were used. */
export interface KeyStatistics {
  readonly total: number;
  readonly byState: Readonly<Record<string, number>>;
  readonly byAlgorithm: Readonly<Record<string, number>>;
  /** Operations that used a key since the first of the month, in UTC; other nodes' newest ones may be missing. */
  readonly operationsThisMonth: number;
}

/** How many keys the tenant has, by state and by algorithm. Throws `FORBIDDEN` for a credential that is limited to some keys. */
export async function keyStatistics({ kms, caller }: Operation): Promise<KeyStatistics> {
  requirePermission(caller, OPERATIONS.getKeyStats.permission);
  requireEveryKey(caller, 'the statistics are of all keys of the tenant');
  const { tenantId } = caller;
  checkId('tenantId', tenantId);
  const counts = await kms.store.transact({ kind: 'tenant', tenantId }, (unit) => unit.keys.count());
  const { byState, byAlgorithm } = counts;
  const total = Object.values(byState).reduce((sum, count) => sum + count, 0);
  return {
    total,
    byState,
    byAlgorithm,
    operationsThisMonth: counts.operationsThisMonth + kms.counter.pending(tenantId),
  };
}
