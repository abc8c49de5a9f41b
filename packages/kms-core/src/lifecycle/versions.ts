import type { Algorithm } from '../algorithms/registry.ts';
import type { KeyRecord, KeyVersionRecord } from '../model/key.ts';
import { nextVersionState } from './transitions.ts';

/** Whether the current version was imported, so that the KMS cannot make the next one. */
export function isImported(record: KeyRecord): boolean {
  return record.versions.find((version) => version.version === record.currentVersion)?.origin === 'imported';
}

/** Whether the material of a version is in an HSM. */
export function isResident(version: KeyVersionRecord): boolean {
  return version.material.kind === 'resident';
}

/** What a key is for when it continues with an algorithm: what it was for, if the algorithm can do that. */
export function nextPurpose(record: KeyRecord, algorithm: Algorithm): KeyRecord['purpose'] {
  return algorithm.purposes.includes(record.purpose) ? record.purpose : algorithm.purposes[0];
}

/**
 * The versions of a key after another one was added: that one is the active one, and the oldest beyond the number that the key keeps
 * beside it are retired.
 *
 * @param retainVersions how many that is with the new one; `null` for all
 */
export function withVersion(
  record: KeyRecord,
  added: KeyVersionRecord,
  retainVersions: number | null = record.rotation.retainVersions,
): readonly KeyVersionRecord[] {
  const superseded = record.versions.map((old) =>
    old.state === 'active' ? { ...old, state: nextVersionState(old.state, 'supersede') } : old,
  );
  return [...retire(superseded, retainVersions), added];
}

function retire(superseded: readonly KeyVersionRecord[], retainVersions: number | null): readonly KeyVersionRecord[] {
  if (retainVersions === null) return superseded;
  const kept = new Set(
    superseded
      .filter((version) => version.state === 'decrypt-only')
      .map((version) => version.version)
      .toReversed()
      .slice(0, retainVersions - 1),
  );
  return superseded.map((version) =>
    version.state === 'decrypt-only' && !kept.has(version.version)
      ? { ...version, state: nextVersionState(version.state, 'retire') }
      : version,
  );
}
