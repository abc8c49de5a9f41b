import { requireRoom } from '../errors/quota-exceeded.ts';
import { planRotation } from '../lifecycle/rotation-plan.ts';
import { nextPurpose, withVersion } from '../lifecycle/versions.ts';
import type { KeyRecord } from '../model/key.ts';
import type { KeyChange } from '../model/key-change.ts';
import { atMost, type Quotas } from '../model/quotas.ts';
import type { ResidentKeyName } from '../ports/resident-keys.ts';
import type { ChangeContext } from './change-key.ts';
import type { PreparedVersion } from './prepared-version.ts';

/** The name of the version that a rotation makes. */
export function nextVersionName({ tenantId, keyId, currentVersion }: KeyRecord): ResidentKeyName {
  return { tenantId, keyId, version: currentVersion + 1 };
}

/** What a key gets, and how many of it. */
export interface AddedVersion {
  readonly prepared: PreparedVersion;
  readonly quotas: Quotas;
  /** Whether no version is retired, however few the key retains; a later rotation retires them. */
  readonly retainsAll?: boolean;
}

/** Whether a key has fewer versions than it may. */
export function hasRoomForVersion({ versions }: KeyRecord, { keyVersions }: Quotas): boolean {
  return versions.length < (atMost(keyVersions) ?? Infinity);
}

/** Throws `QUOTA_EXCEEDED` for a key that has as many versions as it may. */
export function requireRoomForVersion({ versions }: KeyRecord, { keyVersions }: Quotas): void {
  requireRoom('keyVersions', versions.length, atMost(keyVersions));
}

/**
 * The change that adds a version: it becomes the active one, and what `retainVersions` does not keep is retired. The key is locked, so
 * that nobody else adds one.
 */
export async function addVersion(
  record: KeyRecord,
  { unit, chain }: ChangeContext,
  { prepared, quotas, retainsAll = false }: AddedVersion,
): Promise<KeyChange> {
  requireRoomForVersion(record, quotas);
  const { algorithm, protectionLevel } = prepared.facts;
  const name = nextVersionName(record);
  const added = await prepared.store(unit, chain, name);
  return {
    algorithm: algorithm.id,
    protectionLevel,
    purpose: nextPurpose(record, algorithm),
    currentVersion: name.version,
    versions: withVersion(record, added, retainsAll ? null : record.rotation.retainVersions),
    rotation: planRotation(record.rotation, unit.now),
  };
}
