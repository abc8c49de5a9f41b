import { sortedJson } from '../encoding/sorted-json.ts';
import { KmsError } from '../errors/kms-error.ts';
import { VERSION_STATES } from '../model/states.ts';
import type { KeyRecord, KeyVersionRecord, VersionMaterial } from '../model/key.ts';

function refuse(why: string): never {
  throw new KmsError('INTERNAL_ERROR', `The store refuses the key: ${why}.`);
}

/**
 * Refuses a record that no operation makes. For a store whose database has no constraints that do: it calls this for each key
 * that it adds or changes.
 *
 * @throws KmsError `INTERNAL_ERROR`
 */
export function checkKey(key: KeyRecord): void {
  const { state, versions } = key;
  if (key.revision < 1) refuse('the first revision is 1');
  if (versions.some((version, index) => version.version !== index + 1)) refuse('versions count from 1 without gaps');
  const current = versions.find((version) => version.version === key.currentVersion);
  if (current === undefined) refuse('its current version does not exist');
  if (versions.filter((version) => version.state === 'active').length > 1) refuse('two versions are active');
  if (state !== 'destroyed' && current.state !== 'active') refuse('its current version is not active');
  for (const version of versions) {
    if (state === 'destroyed' && version.state !== 'destroyed') refuse('destroyed, but not its versions');
    if (version.state === 'destroyed' && version.material.kind !== 'none') refuse('destroyed, but with material');
  }
  checkSettings(key);
  if (state === 'revoked' && key.revocation === null) refuse('revoked, but without a reason');
  if (state === 'deactivated' && (key.destroyAt === null || key.stateBeforeDestroy === null)) {
    refuse('deactivated, but without a date of destruction or a state to return to');
  }
}

function checkSettings({ rotation, usageLimits }: KeyRecord): void {
  const { auto, periodSeconds, nextRotationAt, retainVersions } = rotation;
  if (auto && (periodSeconds === null || nextRotationAt === null)) refuse('it rotates, but nobody knows when');
  if (periodSeconds !== null && periodSeconds <= 0) refuse('its period of rotation is not positive');
  if (retainVersions !== null && retainVersions <= 0) refuse('it retains no version');
  if (usageLimits.maxOperations !== null && usageLimits.maxOperations < 0) refuse('its limit is negative');
}

/**
 * Refuses an update that rewrites what never changes, for a store without constraints that do.
 *
 * @throws KmsError `INTERNAL_ERROR`
 */
export function checkChange(from: KeyRecord, to: KeyRecord): void {
  if (to.revision !== from.revision + 1) refuse('an update raises the revision by one');
  if (to.createdAt.getTime() !== from.createdAt.getTime()) refuse('the date of its creation never changes');
  if (from.state === 'destroyed') refuse('it is destroyed');
  if (from.state === 'revoked' && to.state !== 'revoked' && to.state !== 'destroyed')
    refuse('it is revoked, and stays so');
  for (const version of from.versions) {
    const next = to.versions.find((candidate) => candidate.version === version.version);
    if (next === undefined) refuse(`version ${version.version} is missing`);
    checkVersionChange(version, next);
  }
}

/**
 * Refuses a record that is not the same under a master key that is as new, for a store without constraints that do.
 *
 * @throws KmsError `INTERNAL_ERROR`
 */
export function checkReseal(from: KeyRecord, to: KeyRecord): void {
  const goesBack = from.versions.some(({ material }, index) => {
    const next = to.versions[index]?.material;
    return (
      material.kind === 'sealed' &&
      (next?.kind !== 'sealed' ||
        next.tmkVersion < material.tmkVersion ||
        (next.tmkVersion === material.tmkVersion && !sameMaterial(material, next)))
    );
  });
  if (goesBack || to.mac.tmkVersion < from.mac.tmkVersion) refuse('it goes back to an earlier master key');
  if (withoutSeals(from) !== withoutSeals(to)) refuse('it is not what it was');
}

function withoutSeals({ versions, ...record }: KeyRecord): string {
  const unsealed = versions.map(({ material, publicKey, ...version }) => ({
    ...version,
    kind: material.kind,
    handle: material.kind === 'resident' ? Buffer.from(material.handle).toString('hex') : null,
    publicKey: publicKey && Buffer.from(publicKey).toString('hex'),
  }));
  return sortedJson({ ...record, mac: null, versions: unsealed });
}

function checkVersionChange(from: KeyVersionRecord, to: KeyVersionRecord): void {
  const name = `version ${from.version}`;
  if (VERSION_STATES.indexOf(to.state) < VERSION_STATES.indexOf(from.state)) refuse(`${name} goes back in its state`);
  if (to.material.kind !== 'none' && !sameMaterial(from.material, to.material)) refuse(`${name} has other material`);
  const same =
    to.algorithm === from.algorithm &&
    to.origin === from.origin &&
    to.provider === from.provider &&
    to.createdAt.getTime() === from.createdAt.getTime() &&
    sameBytes(from.publicKey, to.publicKey);
  if (!same) refuse(`${name} is not what it was`);
}

function sameMaterial(a: VersionMaterial, b: VersionMaterial): boolean {
  if (a.kind === 'sealed') return b.kind === 'sealed' && a.tmkVersion === b.tmkVersion && sameBytes(a.sealed, b.sealed);
  if (a.kind === 'resident') return b.kind === 'resident' && sameBytes(a.handle, b.handle);
  return b.kind === 'none';
}

function sameBytes(a: Uint8Array | null, b: Uint8Array | null): boolean {
  if (a === null || b === null) return a === b;
  return Buffer.compare(a, b) === 0;
}
