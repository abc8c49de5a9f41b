import type { Composition } from './compose.ts';
import { applyTombstones, type DatabaseCopies, type DatabaseCopy, type Kms } from '@qnsp/kms-core';
import type { Logger } from './http/logger.ts';
import type { Readiness } from './readiness.ts';

const MILLISECONDS_PER_HOUR = 60 * 60 * 1000;

/**
 * Finds out whether the database is a restored older copy, and whether it may serve. A copy knows nothing of what was
 * destroyed after it was made: until an operator brought tombstones or took the responsibility, nothing is served.
 *
 * @param acceptedAsOf the copy that the operator lets serve without tombstones, by the time of its data
 * @returns whether the service may go on
 */
export async function settleCopy(
  { kms, copies }: Composition,
  acceptedAsOf: Date | undefined,
  readiness: Readiness,
  log: Logger,
): Promise<boolean> {
  if (copies === undefined) return true;
  const found = await copies.look();
  if (found.dataAsOf === null) return true;
  if (found.settled === null) await settle(kms, copies, found.dataAsOf, acceptedAsOf);
  const copy = await copies.look();
  const message = describeCopy(copy, found.dataAsOf);
  readiness.restoredCopy(copy.settled !== null, message);
  if (copy.settled === null) log.fatal({ dataAsOf: found.dataAsOf }, message);
  else log.warn({ dataAsOf: found.dataAsOf, ...copy.settled }, message);
  return copy.settled !== null;
}

/**
 * Notes down that the data is alive here. When it is not this service's data any more, because a database was restored
 * under it, nothing is served from then on.
 */
export async function isStillHere(
  copies: DatabaseCopies | undefined,
  readiness: Readiness,
  log: Logger,
): Promise<boolean> {
  if (copies === undefined || (await copies.keepAlive())) return true;
  const message = 'The database was replaced by a restored copy while the service ran. Restart the service.';
  readiness.restoredCopy(false, message);
  log.fatal(message);
  return false;
}

async function settle(kms: Kms, copies: DatabaseCopies, dataAsOf: Date, acceptedAsOf: Date | undefined): Promise<void> {
  const brought = await copies.tombstones();
  // Older ones say nothing about the time after the copy, which is what is asked.
  if (brought !== undefined && brought.exportedAt >= dataAsOf) {
    const tenants = brought.toApply.filter(({ kind }) => kind === 'tenant');
    await applyTombstones(kms, tenants);
    // The keys of those tenants are out of reach now, and not asked for any more.
    const others = await copies.tombstones();
    await applyTombstones(kms, others?.toApply ?? []);
    await copies.settle({ by: 'tombstones', tombstonesAsOf: brought.exportedAt });
  } else if (acceptedAsOf?.getTime() === dataAsOf.getTime()) {
    await copies.settle({ by: 'operator' });
  }
}

function describeCopy({ noticedAt, settled }: DatabaseCopy, dataAsOf: Date): string {
  const asOf = dataAsOf.toISOString();
  const hours = ((noticedAt.getTime() - dataAsOf.getTime()) / MILLISECONDS_PER_HOUR).toFixed(1);
  const what = `The database is a copy that was restored on ${noticedAt.toISOString()} from data of ${asOf}, ${hours} hours old then.`;
  if (settled === null)
    return (
      `${what} What was destroyed, revoked or suspended since is not known, so nothing is served. Load the newest ` +
      'tombstones and restart (deploy/backup/tombstones.sh), or, if there are none, restart with ' +
      `KMS_ACCEPT_RESTORED_COPY=${asOf}: keys and tokens that had ended since then will work again.`
    );
  const known =
    settled.by === 'tombstones'
      ? `What had ended until ${settled.tombstonesAsOf.toISOString()} has ended here; what ended after that is not known.`
      : `It was accepted without tombstones on ${settled.at.toISOString()}: what was destroyed, revoked or suspended after ${asOf} is not known and works again.`;
  return `${what} ${known} Other changes since the copy are lost.`;
}
