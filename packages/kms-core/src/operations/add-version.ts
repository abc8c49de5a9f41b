import { planRotation } from '../lifecycle/rotation-plan.ts';
import { nextPurpose, withVersion } from '../lifecycle/versions.ts';
import type { KeyRecord } from '../model/key.ts';
import type { KeyChange } from '../model/key-change.ts';
import type { ResidentKeyName } from '../ports/resident-keys.ts';
import type { ChangeContext } from './change-key.ts';
import type { PreparedVersion } from './prepared-version.ts';

/** The name of the version that a rotation makes. */
export function nextVersionName({ tenantId, keyId, currentVersion }: KeyRecord): ResidentKeyName {
  return { tenantId, keyId, version: currentVersion + 1 };
}

/** The change that adds a version: it becomes the active one, and what `retainVersions` does not keep is retired. */
export async function addVersion(
  record: KeyRecord,
  { unit, chain }: ChangeContext,
  prepared: PreparedVersion,
): Promise<KeyChange> {
  const { algorithm, protectionLevel } = prepared.facts;
  const name = nextVersionName(record);
  const added = await prepared.store(unit, chain, name);
  return {
    algorithm: algorithm.id,
    protectionLevel,
    purpose: nextPurpose(record, algorithm),
    currentVersion: name.version,
    versions: withVersion(record, added),
    rotation: planRotation(record.rotation, unit.now),
  };
}
