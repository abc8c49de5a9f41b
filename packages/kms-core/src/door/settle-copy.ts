import type { DatabaseCopies } from '../ports/database-copies.ts';
import { applyTombstones } from '../operations/apply-tombstones.ts';
import type { Kms } from '../operations/kms.ts';
import { operationOfService } from '../operations/operation.ts';

/**
 * Decides whether a restored copy may serve: by the tombstones that were brought along, or because the operator accepts
 * the copy without any. Decides nothing where there is neither.
 *
 * @param dataAsOf the time of the data of the copy
 * @param acceptedAsOf the copy that the operator lets serve without tombstones, by the time of its data
 */
export async function settleCopy(
  kms: Kms,
  copies: DatabaseCopies,
  dataAsOf: Date,
  acceptedAsOf: Date | undefined,
): Promise<void> {
  const brought = await copies.tombstones();
  // Older ones say nothing about the time after the copy, which is what is asked.
  if (brought !== undefined && brought.exportedAt >= dataAsOf) {
    const service = operationOfService(kms, 'applyTombstones');
    const tenants = brought.toApply.filter(({ kind }) => kind === 'tenant');
    await applyTombstones(service, tenants);
    // The keys of those tenants are out of reach now, and no longer asked for.
    const others = await copies.tombstones();
    await applyTombstones(service, others?.toApply ?? []);
    await copies.settle({ by: 'tombstones', tombstonesAsOf: brought.exportedAt });
  } else if (acceptedAsOf?.getTime() === dataAsOf.getTime()) {
    await copies.settle({ by: 'operator' });
  }
}
