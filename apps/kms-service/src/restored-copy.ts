import type { Composition } from './compose.ts';
import { KmsError } from '@qnsp/kms-core';
import { settleCopy } from '@qnsp/kms-core/internal';
import { type DatabaseCopies, type DatabaseCopy, FORGOTTEN_AFTER_MS } from '@qnsp/kms-core/ports';
import type { Logger } from './http/logger.ts';
import type { Readiness } from './readiness.ts';

const MILLISECONDS_PER_HOUR = 60 * 60 * 1000;

/**
 * Finds out whether the database is a restored older copy, and whether it may serve. A copy knows nothing of what was
 * destroyed after it was made: until an operator supplies tombstones or takes the responsibility, nothing is served. A
 * database that lacks what was acknowledged to an earlier life of this service, or to another node, is such a copy too.
 *
 * @param acceptedAsOf the copy that the operator lets serve without tombstones, by the time of its data
 * @returns whether the service may go on
 */
export async function settlePlace(
  composition: Composition,
  acceptedAsOf: Date | undefined,
  readiness: Readiness,
  log: Logger,
): Promise<boolean> {
  const { kms, copies } = composition;
  if (copies === undefined) return true;
  const found = await lookAtPlace(composition, copies);
  if (found.dataAsOf !== null) {
    if (found.settled === null) await settleCopy(kms, copies, found.dataAsOf, acceptedAsOf);
    const copy = await copies.look();
    const message = describeCopy(copy, found.dataAsOf);
    readiness.restoredCopy(copy.settled !== null, message);
    if (copy.settled === null) log.fatal({ dataAsOf: found.dataAsOf }, message);
    else log.warn({ dataAsOf: found.dataAsOf, ...copy.settled }, message);
    if (copy.settled === null) return false;
  }
  await beginToRemember(composition, copies, found);
  return true;
}

/** The place of the database, declared to be a copy first where it lacks what is remembered of it. */
async function lookAtPlace({ commits }: Composition, copies: DatabaseCopies): Promise<DatabaseCopy> {
  const found = await copies.look();
  if (commits === undefined) return found;
  commits.memory.concerns(found.noticedAt);
  const remembered = await commits.memory.recallPatiently(await commits.told.recentHolders());
  const lacking = await commits.told.lackingOf(remembered);
  if (lacking.length === 0) return found;
  await copies.declareBehind(found.noticedAt, lacking);
  return copies.look();
}

/** What was remembered until now is in the database, and so is what this process commits from now on. */
async function beginToRemember({ commits }: Composition, copies: DatabaseCopies, found: DatabaseCopy): Promise<void> {
  if (commits === undefined) return;
  commits.memory.concerns(found.noticedAt);
  commits.told.rememberIn(commits.memory);
  try {
    await copies.keepAlive();
    await copies.forgetProcesses(new Date(Date.now() - FORGOTTEN_AFTER_MS));
  } catch (error) {
    // A database that only reads is served from as well; the next turn of scheduled work tries again.
    if (!KmsError.is(error) || error.code !== 'STORE_UNAVAILABLE') throw error;
  }
}

/** Seals a running service as soon as its database is found to lack what was acknowledged, and says so in the database. */
export function sealWhenBehind(composition: Composition, readiness: Readiness, log: Logger): void {
  composition.commits?.told.onBehind(() => {
    const message =
      'The database lacks changes that were acknowledged: a lagging standby was promoted, or an older copy was put in its place. Nothing is served.';
    readiness.restoredCopy(false, message);
    log.fatal(message);
    declareBehind(composition, readiness, log).catch((error: unknown) => {
      log.error({ err: error }, 'could not record in the database that it is an older copy; retrying');
    });
  });
}

async function declareBehind({ commits, copies }: Composition, readiness: Readiness, log: Logger): Promise<void> {
  if (commits === undefined || copies === undefined) return;
  await copies.declareBehind(commits.memory.placeNoticedAt, commits.told.lacking);
  sealAsCopy(await copies.look(), readiness, log);
}

/**
 * Records that the data is alive here, and checks that it has everything that it had. When it is no longer this
 * service's data, because a database was restored under it or failed over to a lagging standby, nothing is served from
 * then on.
 */
export async function isStillHere(composition: Composition, readiness: Readiness, log: Logger): Promise<boolean> {
  const { copies, commits } = composition;
  if (copies === undefined) return true;
  if (readiness.copy()?.settled === false) {
    if (commits !== undefined && commits.told.lacking.length > 0) await declareBehind(composition, readiness, log);
    return false;
  }
  try {
    await commits?.told.check();
    if (await copies.keepAlive()) return true;
  } catch (error) {
    // The listener for it has sealed the service.
    if (KmsError.is(error) && error.code === 'SEALED') return false;
    throw error;
  }
  sealAsCopy(await copies.look(), readiness, log);
  return false;
}

function sealAsCopy(copy: DatabaseCopy, readiness: Readiness, log: Logger): void {
  const replaced = 'The database was replaced by a restored copy while the service ran. Restart the service.';
  const isBehind = copy.cause === 'behind' && copy.dataAsOf !== null && copy.settled === null;
  const message = isBehind ? describeCopy(copy, copy.dataAsOf) : replaced;
  if (readiness.copy()?.message === message) return;
  readiness.restoredCopy(false, message);
  log.fatal(message);
}

function describeCopy({ noticedAt, cause, settled }: DatabaseCopy, dataAsOf: Date): string {
  const asOf = dataAsOf.toISOString();
  const noticed = noticedAt.toISOString();
  const hours = ((noticedAt.getTime() - dataAsOf.getTime()) / MILLISECONDS_PER_HOUR).toFixed(1);
  const what =
    cause === 'behind'
      ? `The database lacks changes that were acknowledged, which was noticed on ${noticed}: a lagging standby was promoted, or an older physical copy was put in its place. Its data is from ${asOf} or a little later.`
      : `The database is a copy that was restored on ${noticed} from data of ${asOf}, then ${hours} hours old.`;
  if (settled === null)
    return (
      `${what} What was destroyed, revoked or suspended since is not known, so nothing is served. Load the newest ` +
      'tombstones and restart (deploy/backup/tombstones.sh), or, if there are none, restart with ' +
      `KMS_ACCEPT_RESTORED_COPY=${asOf}: keys and tokens that have ended since then will work again.`
    );
  const known =
    settled.by === 'tombstones'
      ? `What had ended until ${settled.tombstonesAsOf.toISOString()} has ended here; what ended after that is not known.`
      : `It was accepted without tombstones on ${settled.at.toISOString()}: what was destroyed, revoked or suspended after ${asOf} is not known and works again.`;
  return `${what} ${known} Other changes since the copy are lost.`;
}
