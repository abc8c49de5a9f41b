import { authorize } from '../access/evaluate-policy.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { checkId, checkInteger } from '../bounds/check-values.ts';
import type { KeyId } from '../model/identifiers.ts';
import type { KeyRecord, KeyVersionRecord } from '../model/key.ts';
import type { VersionState } from '../model/states.ts';
import type { UnitOfWork } from '../ports/store.ts';
import { OPERATIONS } from './catalog.ts';
import { keyNotFound } from '../keyring/key-ring.ts';
import type { Kms } from './kms.ts';
import type { Operation } from './operation.ts';

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;

/** Of which key, and how far back. */
export interface KeyUsageInput {
  readonly keyId: KeyId;
  /** From 1 to 3650; default: 30. */
  readonly days?: number;
}

/** When a version was last used, to the hour: the beginning of it. Times are RFC 3339 in UTC. */
export interface VersionUsage {
  readonly version: number;
  readonly state: VersionState;
  readonly algorithm: string;
  readonly createdAt: string;
  /** To protect something new; `null` where that was not written down. */
  readonly protectedAt: string | null;
  /** To process what it protected; `null` where that was not written down. */
  readonly processedAt: string | null;
  /** Whether it was used in these days, in either way; `null` where uses are not known for as long. */
  readonly isUsed: boolean | null;
}

/** Which versions of a key are still used. */
export interface KeyUsageDescription {
  readonly keyId: KeyId;
  readonly days: number;
  /** From when on uses of it are written down. */
  readonly since: string;
  readonly versions: readonly VersionUsage[];
}

/** Which versions of a key were used in the last days. Throws `FORBIDDEN` and `NOT_FOUND`. */
export async function getKeyUsage(
  { kms, caller }: Operation,
  { keyId, days = BOUNDS.usageDays.default }: KeyUsageInput,
): Promise<KeyUsageDescription> {
  checkId('keyId', keyId);
  checkInteger('days', days, 1, BOUNDS.usageDays.maximum);
  const { tenantId } = caller;
  return kms.hierarchy.under(tenantId, (chain) =>
    kms.store.transact({ kind: 'tenant', tenantId }, async (unit) => {
      const record = await unit.keys.get(keyId);
      if (record === undefined) throw keyNotFound();
      chain.verifyRecord(record);
      authorize(caller, OPERATIONS.getKeyUsage.permission, record, kms.clock());
      const { since, versions } = await usesOf(kms, unit, record, days);
      return {
        keyId,
        days,
        since: since.toISOString(),
        versions: versions.map(({ version, protectedAt, processedAt, isUsed }) => ({
          version: version.version,
          state: version.state,
          algorithm: version.algorithm,
          createdAt: version.createdAt.toISOString(),
          protectedAt: protectedAt?.toISOString() ?? null,
          processedAt: processedAt?.toISOString() ?? null,
          isUsed,
        })),
      };
    }),
  );
}

/** A version with what is known of its uses. */
interface UsedVersion {
  readonly version: KeyVersionRecord;
  readonly protectedAt: Date | null;
  readonly processedAt: Date | null;
  /** Whether it was used in the last days; `null` where that is not known. */
  readonly isUsed: boolean | null;
}

/** What is known of the uses of a key. */
export interface UsesOfKey {
  /** From when on they are written down: its creation, or the upgrade to the first release that did so. */
  readonly since: Date;
  readonly versions: readonly UsedVersion[];
}

/**
 * Reads which versions of a key were used in the last days: what is stored, and what this node has noted and not written yet. What other
 * nodes have noted they write within seconds.
 */
export async function usesOf(
  { uses }: Pick<Kms, 'uses'>,
  unit: UnitOfWork,
  { keyId, createdAt, versions }: KeyRecord,
  days: number,
): Promise<UsesOfKey> {
  const known = await unit.keys.lastUses([keyId]);
  const since = known.since > createdAt ? known.since : createdAt;
  const from = new Date(unit.now.getTime() - days * DAY_MS);
  const noted = [...known.versions, ...uses.notWritten(keyId)];
  return {
    since,
    versions: versions.map((version) => {
      const own = noted.filter((use) => use.version === version.version);
      const protectedAt = latest(own.map((use) => use.protectedAt));
      const processedAt = latest(own.map((use) => use.processedAt));
      const last = latest([protectedAt, processedAt]);
      // The hour of a use may have begun before that.
      const isUsed = last !== null && last.getTime() + HOUR_MS > from.getTime();
      const isKnown = since <= from || version.createdAt >= since;
      return { version, protectedAt, processedAt, isUsed: isUsed || (isKnown ? false : null) };
    }),
  };
}

function latest(instants: readonly (Date | null)[]): Date | null {
  return instants.reduce((last, at) => (at !== null && (last === null || at > last) ? at : last), null);
}
