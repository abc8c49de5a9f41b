import { type Caller, requirePermission } from '../access/caller.ts';
import type { Kms } from './kms.ts';

export interface KeyStatistics {
  readonly total: number;
  readonly byState: Readonly<Record<string, number>>;
  readonly byAlgorithm: Readonly<Record<string, number>>;
}

/** How many keys the tenant has, by state and by algorithm. */
export async function keyStatistics(kms: Kms, caller: Caller): Promise<KeyStatistics> {
  requirePermission(caller, 'kms:keys:read');
  const { byState, byAlgorithm } = await kms.store.transact({ kind: 'tenant', tenantId: caller.tenantId }, (unit) =>
    unit.keys.count(),
  );
  return { total: Object.values(byState).reduce((sum, count) => sum + count, 0), byState, byAlgorithm };
}
