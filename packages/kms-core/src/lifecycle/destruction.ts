import { KmsError } from '../errors/kms-error.ts';
import type { KeyRecord } from '../model/key.ts';
import type { KeyChange } from '../model/key-change.ts';
import { nextVersionState } from './transitions.ts';
import { isResident } from './versions.ts';

export function isDestroyed({ state }: KeyRecord): boolean {
  return state === 'destroyed';
}

/** Whether the destruction of a key is due by then; once it is due, nobody can cancel it any more. */
export function isDestructionDue({ destroyAt }: KeyRecord, then: Date): boolean {
  return destroyAt !== null && destroyAt <= then;
}

/** The state that a key returns to when a destruction scheduled now is cancelled. */
function stateToReturnTo({ state, stateBeforeDestroy }: KeyRecord): KeyRecord['stateBeforeDestroy'] {
  return state === 'active' || state === 'suspended' ? state : stateBeforeDestroy;
}

/** The change that schedules the destruction of a key. */
export function scheduledDestruction(record: KeyRecord, destroyAt: Date): KeyChange {
  return { stateBeforeDestroy: stateToReturnTo(record), destroyAt };
}

/** The change that takes a scheduled destruction back. */
export function takenBack(): KeyChange {
  return { stateBeforeDestroy: null, destroyAt: null };
}

/** The change that takes a key permanently out of use, until scheduled work destroys what it has in HSMs. */
export function condemnation(record: KeyRecord, now: Date): KeyChange {
  return {
    ...scheduledDestruction(record, now),
    rotation: { ...record.rotation, auto: false, nextRotationAt: null },
  };
}

/**
 * The change that removes all material of a key.
 *
 * @param withoutObjects the record as it was when its objects in HSMs were destroyed
 * @throws KmsError `CONFLICT` when a version in an HSM was added since.
 */
export function destruction(record: KeyRecord, withoutObjects?: KeyRecord): KeyChange {
  const gone = new Set(withoutObjects?.versions.map((version) => version.version));
  if (record.versions.some((version) => isResident(version) && !gone.has(version.version)))
    throw new KmsError('CONFLICT', 'The key changed at the same moment. Try again.');
  return {
    stateBeforeDestroy: null,
    destroyAt: null,
    rotation: { ...record.rotation, auto: false, nextRotationAt: null },
    versions: record.versions.map((version) => ({
      ...version,
      state: nextVersionState(version.state, 'destroy'),
      material: { kind: 'none' },
    })),
  };
}
