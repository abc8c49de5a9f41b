import { KmsError } from '@qnsp/kms-core';
import { sortedJson } from '@qnsp/kms-core/internal';
import type { KeyRecord, KeyVersionRecord } from '@qnsp/kms-core/ports';

/** What an update has to write about the versions of a key, and no more. */
export interface VersionChanges {
  readonly added: readonly KeyVersionRecord[];
  readonly changed: readonly VersionChange[];
}

export interface VersionChange {
  readonly version: number;
  readonly state: KeyVersionRecord['state'];
  /** Whether its material goes away. */
  readonly drop: boolean;
  /** Its optional fields, where they change. */
  readonly fields?: KeyVersionRecord['fields'];
}

/**
 * Compares the versions of a key with those that are stored.
 *
 * @throws KmsError `INTERNAL_ERROR` when a version is missing or differs in what never changes.
 */
export function versionChanges(stored: KeyRecord, next: KeyRecord): VersionChanges {
  const before = new Map(stored.versions.map((version) => [version.version, version]));
  const added: KeyVersionRecord[] = [];
  const changed: VersionChange[] = [];
  for (const version of next.versions) {
    const old = before.get(version.version);
    before.delete(version.version);
    if (old === undefined) added.push(version);
    if (old === undefined || old === version) continue;
    const drop = old.material.kind !== 'none' && version.material.kind === 'none';
    if (!sameIdentity(old, version) || (!drop && !sameMaterial(old, version))) refuse(version.version);
    const fields = sortedJson(old.fields) === sortedJson(version.fields) ? {} : { fields: version.fields };
    if (drop || old.state !== version.state || fields.fields !== undefined)
      changed.push({ version: version.version, state: version.state, drop, ...fields });
  }
  for (const missing of before.keys()) refuse(missing);
  return { added, changed };
}

function refuse(version: number): never {
  throw new KmsError('INTERNAL_ERROR', `The update rewrites version ${version} of the key.`);
}

function sameIdentity(a: KeyVersionRecord, b: KeyVersionRecord): boolean {
  return (
    a.algorithm === b.algorithm &&
    a.origin === b.origin &&
    a.provider === b.provider &&
    a.createdAt.getTime() === b.createdAt.getTime() &&
    sameBytes(a.publicKey, b.publicKey)
  );
}

function sameMaterial({ material: a }: KeyVersionRecord, { material: b }: KeyVersionRecord): boolean {
  if (a.kind === 'sealed') return b.kind === 'sealed' && a.tmkVersion === b.tmkVersion && sameBytes(a.sealed, b.sealed);
  if (a.kind === 'resident') return b.kind === 'resident' && sameBytes(a.handle, b.handle);
  return b.kind === 'none';
}

function sameBytes(a: Uint8Array | null, b: Uint8Array | null): boolean {
  if (a === null || b === null) return a === b;
  return Buffer.compare(a, b) === 0;
}
