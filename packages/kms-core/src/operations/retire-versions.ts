import { isAllowed } from '../access/evaluate-policy.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { checkInteger } from '../bounds/check-values.ts';
import { KmsError } from '../errors/kms-error.ts';
import { nextVersionState } from '../lifecycle/transitions.ts';
import type { ChangeRequest } from '../model/change-request.ts';
import type { KeyDescription } from '../model/describe-key.ts';
import type { KeyRecord, KeyVersionRecord } from '../model/key.ts';
import { OPERATIONS } from './catalog.ts';
import { changeKey } from './change-key.ts';
import { type UsesOfKey, usesOf } from './key-usage.ts';
import type { Operation } from './operation.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** Which versions of a key are retired. */
export interface RetireVersionsInput extends ChangeRequest {
  /** Those that were superseded this many days ago, from 1 to 3650, and were not used since then. */
  readonly olderThanDays: number;
}

/**
 * Deactivates the versions of a key that were superseded at least so many days ago: from then on they read nothing, forever. All of them, or
 * none: where one was used in this time, or where it is not known, the answer says so and nothing is changed.
 *
 * @throws KmsError `KEY_STATE_INVALID` with the versions that are still used, or from when on uses are known
 */
export function retireVersions(op: Operation, input: RetireVersionsInput): Promise<KeyDescription> {
  const { olderThanDays: days } = input;
  checkInteger('olderThanDays', days, 1, BOUNDS.usageDays.maximum);
  return changeKey(
    op,
    OPERATIONS.retireVersions,
    input,
    async (record, { unit }) => {
      const old = new Set(oldVersions(record, unit.now, days));
      requireUnused(op, record, { ...(await usesOf(op.kms, unit, record, days)), old, days });
      return {
        versions: record.versions.map((version) =>
          old.has(version) ? { ...version, state: nextVersionState(version.state, 'retire') } : version,
        ),
      };
    },
    {
      // Where nothing is left to do, but not of a key that has changed since the caller saw it and never lost a version.
      isDone: (record, { unit }) =>
        oldVersions(record, unit.now, days).length === 0 &&
        (input.ifRevision === undefined ||
          input.ifRevision === record.revision ||
          record.versions.some(({ state }) => state === 'deactivated')),
    },
  );
}

/** Those that still read, and were superseded before that time. */
function oldVersions({ versions }: KeyRecord, now: Date, days: number): readonly KeyVersionRecord[] {
  const before = now.getTime() - days * DAY_MS;
  return versions.filter(({ state }, index) => {
    const successor = versions[index + 1];
    return state === 'decrypt-only' && successor !== undefined && successor.createdAt.getTime() <= before;
  });
}

interface OldVersions extends UsesOfKey {
  readonly old: ReadonlySet<KeyVersionRecord>;
  readonly days: number;
}

/** Says which versions are used to who may read the key, and to others only that some are. */
function requireUnused(
  { kms, caller }: Operation,
  record: KeyRecord,
  { since, versions, old, days }: OldVersions,
): void {
  const inUse = versions.filter(({ version, isUsed }) => old.has(version) && isUsed !== false);
  if (inUse.length === 0) return;
  if (!isAllowed(caller, OPERATIONS.getKeyUsage.permission, record, kms.clock()))
    throw new KmsError('KEY_STATE_INVALID', `Not every version of the key is known to be unused for ${days} days.`);
  const used = inUse.filter(({ isUsed }) => isUsed);
  const details = {
    since: since.toISOString(),
    versions: inUse.map(({ version, protectedAt, processedAt }) => ({
      version: version.version,
      protectedAt: protectedAt?.toISOString() ?? null,
      processedAt: processedAt?.toISOString() ?? null,
    })),
  };
  throw new KmsError(
    'KEY_STATE_INVALID',
    used.length === 0
      ? `Uses of the key are known from ${details.since} on, which is less than ${days} days: ask again later.`
      : `Still used in the last ${days} days: version ${used.map(({ version }) => version.version).join(', ')}. Encrypt again what is under it, and ask again.`,
    { details },
  );
}
