import type { Caller } from '../access/caller.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { checkChange } from '../bounds/check-change.ts';
import { checkInteger } from '../bounds/check-values.ts';
import { badRequest, KmsError } from '../errors/kms-error.ts';
import { nextVersionState } from '../lifecycle/transitions.ts';
import type { KeyDescription } from '../model/describe-key.ts';
import type { KeyRecord } from '../model/key.ts';
import { OPERATIONS } from './catalog.ts';
import { type ChangeContext, changeKey, type KeyChange } from './change-key.ts';
import type { ChangeRequest } from '../model/change-request.ts';
import { destroyResident, isResident } from './destroy-resident.ts';
import type { Kms } from './kms.ts';

const MILLISECONDS_PER_DAY = 24 * 60 * 60 * 1000;

export interface DestroyKeyInput extends ChangeRequest {
  /** Days until the destruction, 1 to 90; default: 7. */
  readonly pendingDays?: number;
}

/** Deactivates a key now and destroys it after a waiting period, within which it can be restored. */
export async function destroyKey(kms: Kms, caller: Caller, input: DestroyKeyInput): Promise<KeyDescription> {
  const { minimum, maximum, default: usual } = BOUNDS.pendingDays;
  const { pendingDays = usual } = input;
  checkInteger('pendingDays', pendingDays, minimum, maximum);
  const dueAt = (now: Date) => new Date(now.getTime() + pendingDays * MILLISECONDS_PER_DAY);
  return changeKey(
    kms,
    caller,
    input,
    OPERATIONS.destroyKey.permission,
    'destroy',
    (record, { unit }) => scheduledDestruction(record, dueAt(unit.now)),
    // A destruction that comes sooner is not this one; one that was asked for at the same time, in days, is.
    { isDone: (record, { unit }) => isDestroyed(record) || isDueBy(record, soonAfter(dueAt(unit.now))) },
  );
}

/** Units that wait for one another begin in another order than they end, and clients ask again within moments. */
const SAME_TIME_MS = 60_000;

function soonAfter(at: Date): Date {
  return new Date(at.getTime() + SAME_TIME_MS);
}

function isDestroyed({ state }: KeyRecord): boolean {
  return state === 'destroyed';
}

/** Whether the destruction of a key is due by then; once it is due, nobody can cancel it any more. */
function isDueBy({ destroyAt }: KeyRecord, then: Date): boolean {
  return destroyAt !== null && destroyAt <= then;
}

function scheduledDestruction(record: KeyRecord, destroyAt: Date): KeyChange {
  return { stateBeforeDestroy: stateToReturnTo(record), destroyAt };
}

/** The state that a key returns to when a destruction scheduled now is cancelled. */
export function stateToReturnTo({ state, stateBeforeDestroy }: KeyRecord): KeyRecord['stateBeforeDestroy'] {
  return state === 'active' || state === 'suspended' ? state : stateBeforeDestroy;
}

/**
 * Takes a scheduled destruction back: the key is again what it was before.
 *
 * @throws KmsError `KEY_STATE_INVALID` when the waiting period is over: material in an HSM may be gone already.
 */
export function restoreKey(kms: Kms, caller: Caller, input: ChangeRequest): Promise<KeyDescription> {
  const restore = (record: KeyRecord, { unit }: ChangeContext): KeyChange => {
    if (isDueBy(record, unit.now))
      throw new KmsError('KEY_STATE_INVALID', 'The waiting period is over: the key is being destroyed.', {
        details: { state: record.state, event: 'restore' },
      });
    return takenBack();
  };
  return changeKey(kms, caller, input, OPERATIONS.restoreKey.permission, 'restore', restore, {
    isDone: (record) => record.destroyAt === null && !isDestroyed(record),
  });
}

/** The change that takes a scheduled destruction back. */
export function takenBack(): KeyChange {
  return { stateBeforeDestroy: null, destroyAt: null };
}

export interface ShredKeyInput extends ChangeRequest {
  /** Must be `SHRED-` and the key's id. */
  readonly confirmation: string;
}

/**
 * Destroys the material of every version immediately and irrevocably. The record stays for audit.
 *
 * A key in an HSM is first put permanently out of use, then its objects are destroyed, and only then is it `destroyed`:
 * scheduled work continues after a crash in between, and no key that is called destroyed has an object left.
 *
 * @throws KmsError `HSM_UNAVAILABLE` if the key is permanently out of use, but its HSM does not answer; its material is
 * destroyed as soon as it does.
 */
export async function shredKey(kms: Kms, caller: Caller, input: ShredKeyInput): Promise<KeyDescription> {
  checkChange(input);
  if (typeof input.confirmation !== 'string' || input.confirmation.toLowerCase() !== `shred-${input.keyId}`)
    throw badRequest('confirmation', 'must be SHRED- followed by the id of the key');
  const seen = await kms.keyRing.read(caller.tenantId, input.keyId);
  const done = { isDone: isDestroyed };
  if (isDestroyed(seen) || !seen.versions.some(isResident))
    return changeKey(
      kms,
      caller,
      input,
      OPERATIONS.shredKey.permission,
      'shred',
      (record) => destruction(record),
      done,
    );
  await changeKey(
    kms,
    caller,
    withoutIdempotency(input),
    OPERATIONS.shredKey.permission,
    'condemn',
    (record, { unit }) => condemnation(record, unit.now),
    { isDone: (record, { unit }) => isDestroyed(record) || isDueBy(record, unit.now) },
  );
  const condemned = await kms.keyRing.read(caller.tenantId, input.keyId);
  await destroyCondemned(kms, condemned);
  const { ifRevision: _checked, ...rest } = input;
  return changeKey(
    kms,
    caller,
    rest,
    OPERATIONS.shredKey.permission,
    'shred',
    (record) => destruction(record, condemned),
    done,
  );
}

/** The change that takes a key permanently out of use, until scheduled work destroys what it has in HSMs. */
export function condemnation(record: KeyRecord, now: Date): KeyChange {
  return {
    ...scheduledDestruction(record, now),
    rotation: { ...record.rotation, auto: false, nextRotationAt: null },
  };
}

/** The answer that is kept under an idempotency key is that of the whole operation. */
function withoutIdempotency({ idempotency: _kept, ...rest }: ChangeRequest): ChangeRequest {
  return rest;
}

async function destroyCondemned(kms: Kms, record: KeyRecord): Promise<void> {
  try {
    await destroyResident(kms, record);
  } catch (error) {
    if (!(error instanceof KmsError) || error.code !== 'HSM_UNAVAILABLE') throw error;
    throw new KmsError(
      'HSM_UNAVAILABLE',
      'The key is permanently out of use; its material is destroyed as soon as its HSM answers again.',
      { retryAfterSeconds: error.retryAfterSeconds ?? 1, cause: error },
    );
  }
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
