import { KEY_PURPOSES } from '../algorithms/registry.ts';
import { badRequest } from '../errors/kms-error.ts';
import type { UsageLimits } from '../model/key.ts';
import type { KeySettings, RotationInput } from '../model/key-settings.ts';
import { BOUNDS } from './bounds.ts';
import { checkPolicy } from './check-policy.ts';
import { metadataProblem } from './metadata-problem.ts';
import { checkBoolean, checkId, checkInstant, checkInteger, checkLine, checkOneOf } from './check-values.ts';

/** The settings that can be chosen when a key is created or imported. */
export function checkKeySettings(settings: KeySettings): void {
  const { name, purpose, rotation, usageLimits, metadata, policy, allowLockout, parentKeyId } = settings;
  checkName(name);
  if (purpose !== undefined && purpose !== null) checkOneOf('purpose', purpose, KEY_PURPOSES);
  checkRotation(rotation);
  checkUsageLimits(usageLimits);
  checkMetadata(metadata);
  if (policy !== undefined && policy !== null) checkPolicy('policy', policy);
  if (allowLockout !== undefined) checkBoolean('allowLockout', allowLockout);
  if (parentKeyId !== undefined && parentKeyId !== null) checkId('parentKeyId', parentKeyId);
  checkSafeguards(settings);
}

/** How long a key is guarded after its last use, and how many have to approve its end. */
export function checkSafeguards(settings: Pick<KeySettings, 'destroyGuardDays' | 'requireApproval'>): void {
  for (const name of ['destroyGuardDays', 'requireApproval'] as const) {
    const { minimum, maximum } = BOUNDS[name];
    const number = settings[name];
    if (number !== undefined && number !== null) checkInteger(name, number, minimum, maximum);
  }
}

/** The name of a key: none, or a line. */
export function checkName(name: string | null | undefined): void {
  if (name !== undefined && name !== null) checkLine('name', name, BOUNDS.nameCharacters);
}

export function checkMetadata(metadata: KeySettings['metadata']): void {
  const problem = metadata === undefined ? undefined : metadataProblem(metadata);
  if (problem !== undefined) throw badRequest(['metadata', ...problem.path].join('.'), problem.reason);
}

export function checkRotation(rotation: RotationInput | undefined): void {
  if (rotation === undefined) return;
  checkObject('rotation', rotation);
  const { periodSeconds, auto, retainVersions } = rotation;
  const { minimum, maximum } = BOUNDS.rotationSeconds;
  if (periodSeconds !== undefined && periodSeconds !== null)
    checkInteger('rotation.periodSeconds', periodSeconds, minimum, maximum);
  if (auto !== undefined) checkBoolean('rotation.auto', auto);
  if (retainVersions !== undefined && retainVersions !== null)
    checkInteger('rotation.retainVersions', retainVersions, 1, BOUNDS.retainVersions);
}

export function checkUsageLimits(limits: Partial<UsageLimits> | undefined): void {
  if (limits === undefined) return;
  checkObject('usageLimits', limits);
  const { maxOperations, expiresAt } = limits;
  if (maxOperations !== undefined && maxOperations !== null)
    checkInteger('usageLimits.maxOperations', maxOperations, 1, Number.MAX_SAFE_INTEGER);
  if (expiresAt !== undefined && expiresAt !== null) checkInstant('usageLimits.expiresAt', expiresAt);
}

function checkObject(path: string, value: object): void {
  if (typeof value !== 'object' || value === null) throw badRequest(path, 'must be an object');
}
