import { requirePermission } from '../access/caller.ts';
import { isAllowed } from '../access/evaluate-policy.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { checkInteger } from '../bounds/check-values.ts';
import type { KeyId } from '../model/identifiers.ts';
import type { KeyRecord } from '../model/key.ts';
import { formatDuration } from '../model/iso-duration.ts';
import { Turns } from '../scheduling/turns.ts';
import { OPERATIONS } from './catalog.ts';
import { authenticRecords } from './authentic-records.ts';
import type { Operation } from './operation.ts';

/** When one key is rotated next. */
export interface RotationSchedule {
  readonly keyId: KeyId;
  readonly name: string | null;
  readonly algorithm: string;
  readonly rotationPeriod: string | null;
  readonly nextRotationAt: string | null;
}

/** The keys that are rotated by themselves, the next due first. */
export interface RotationSchedules {
  readonly items: readonly RotationSchedule[];
  /** Names the keys whose stored record was changed by somebody else. */
  readonly warnings?: readonly string[];
}

/** The tenant's keys with automatic rotation, the next due first; with `withinDays` only those due by then. */
export async function rotationSchedules(
  { kms, caller }: Operation,
  input: { readonly limit?: number; readonly withinDays?: number },
): Promise<RotationSchedules> {
  requirePermission(caller, OPERATIONS.listRotationSchedules.permission);
  const { limit = BOUNDS.pageItems.default, withinDays } = input;
  checkInteger('limit', limit, 1, BOUNDS.pageItems.maximum);
  if (withinDays !== undefined) checkInteger('withinDays', withinDays, 1, BOUNDS.upcomingDays.maximum);
  const { tenantId } = caller;
  const turns = new Turns(tenantId);
  const { authentic, ...rest } = await kms.hierarchy.under(tenantId, async (chain, isNewest) => {
    const keys = await kms.store.transact({ kind: 'tenant', tenantId }, (unit) => {
      const before = withinDays === undefined ? null : new Date(unit.now.getTime() + withinDays * 86_400_000);
      return unit.keys.scheduledRotations(limit, before);
    });
    return authenticRecords(kms, chain, keys, turns, isNewest);
  });
  const items: RotationSchedule[] = [];
  for (const key of authentic) {
    await turns.pause();
    if (isAllowed(caller, OPERATIONS.listRotationSchedules.permission, key, kms.clock())) items.push(scheduleOf(key));
  }
  return { items, ...rest };
}

function scheduleOf({ keyId, name, algorithm, rotation }: KeyRecord): RotationSchedule {
  return {
    keyId,
    name,
    algorithm,
    rotationPeriod: rotation.periodSeconds === null ? null : formatDuration(rotation.periodSeconds),
    nextRotationAt: rotation.nextRotationAt?.toISOString() ?? null,
  };
}
