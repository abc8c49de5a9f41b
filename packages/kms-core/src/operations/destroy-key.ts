import type { Caller } from '../access/caller.ts';
import { badRequest } from '../errors/kms-error.ts';
import { nextVersionState } from '../lifecycle/transitions.ts';
import type { KeyDescription } from '../model/describe-key.ts';
import type { KeyRecord } from '../model/key.ts';
import { type ChangeRequest, changeKey, type KeyChange } from './change-key.ts';
import type { Kms } from './kms.ts';

const MILLISECONDS_PER_DAY = 24 * 60 * 60 * 1000;
export const DEFAULT_PENDING_DAYS = 7;

export interface DestroyKeyInput extends ChangeRequest {
  /** Days until the destruction, 1 to 90; 7 without it. */
  readonly pendingDays?: number;
}

/** Deactivates a key now and destroys it after a waiting period, within which it can be restored. */
export function destroyKey(kms: Kms, caller: Caller, input: DestroyKeyInput): Promise<KeyDescription> {
  return changeKey(kms, caller, input, 'kms:keys:delete', 'destroy', (record, { unit }) => ({
    stateBeforeDestroy: stateToReturnTo(record),
    destroyAt: new Date(unit.now.getTime() + (input.pendingDays ?? DEFAULT_PENDING_DAYS) * MILLISECONDS_PER_DAY),
  }));
}

/** The state that a key returns to when a destruction that is scheduled now is taken back. */
export function stateToReturnTo({ state }: KeyRecord): KeyRecord['stateBeforeDestroy'] {
  return state === 'active' || state === 'suspended' ? state : null;
}

/** Takes a scheduled destruction back: the key is again what it was before. */
export function restoreKey(kms: Kms, caller: Caller, input: ChangeRequest): Promise<KeyDescription> {
  return changeKey(kms, caller, input, 'kms:keys:delete', 'restore', takenBack);
}

/** The change that takes a scheduled destruction back. */
export function takenBack(): KeyChange {
  return { stateBeforeDestroy: null, destroyAt: null };
}

export interface ShredKeyInput extends ChangeRequest {
  /** Must be `SHRED-` and the key's id. */
  readonly confirmation: string;
}

/** Destroys the material of every version now and for ever. The record stays for audit. */
export async function shredKey(kms: Kms, caller: Caller, input: ShredKeyInput): Promise<KeyDescription> {
  if (input.confirmation.toLowerCase() !== `shred-${input.keyId}`)
    throw badRequest('confirmation', 'must be SHRED- followed by the id of the key');
  return changeKey(kms, caller, input, 'kms:keys:delete', 'shred', destruction);
}

/** The change that removes all material of a key. */
export function destruction(record: KeyRecord): KeyChange {
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
