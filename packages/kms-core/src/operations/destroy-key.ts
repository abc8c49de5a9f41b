import { BOUNDS } from '../bounds/bounds.ts';
import { checkChange } from '../bounds/check-change.ts';
import { checkInstant, checkInteger } from '../bounds/check-values.ts';
import { badRequest, KmsError } from '../errors/kms-error.ts';
import {
  condemnation,
  destruction,
  isDestroyed,
  isDestructionDue,
  scheduledDestruction,
  takenBack,
} from '../lifecycle/destruction.ts';
import { isResident } from '../lifecycle/versions.ts';
import type { ChangeRequest } from '../model/change-request.ts';
import type { KeyDescription } from '../model/describe-key.ts';
import type { KeyRecord } from '../model/key.ts';
import { OPERATIONS } from './catalog.ts';
import { type Change, type ChangeContext, changeKey, type KindOfChange } from './change-key.ts';
import { destroyResident } from './destroy-resident.ts';
import type { Kms } from './kms.ts';
import { type Acknowledgement, guardDaysOf, guardLastUse } from './last-use.ts';
import type { Operation } from './operation.ts';

const MILLISECONDS_PER_DAY = 24 * 60 * 60 * 1000;

/** Which key is destroyed, and after which waiting period. */
export interface DestroyKeyInput extends ChangeRequest, Acknowledgement {
  /** Days until the destruction, 1 to 90; default: 7. */
  readonly pendingDays?: number;
}

/** Deactivates a key now and destroys it after a waiting period, within which it can be restored. */
export async function destroyKey(op: Operation, input: DestroyKeyInput): Promise<KeyDescription> {
  const { minimum, maximum, default: usual } = BOUNDS.pendingDays;
  const { pendingDays = usual } = input;
  checkInteger('pendingDays', pendingDays, minimum, maximum);
  checkAcknowledgement(input);
  const { acknowledgeLastUse } = input;
  const daysForAll = await guardDaysOf(op.kms, op.caller.tenantId);
  const warnings: string[] = [];
  const dueAt = (now: Date) => new Date(now.getTime() + pendingDays * MILLISECONDS_PER_DAY);
  return changeKey(
    op,
    OPERATIONS.destroyKey,
    input,
    async (record, { unit }) => {
      warnings.splice(0, Infinity, ...(await guardLastUse(op.kms, unit, record, { acknowledgeLastUse, daysForAll })));
      return scheduledDestruction(record, dueAt(unit.now));
    },
    // Done if the key is already due by the time asked for; a call that asks for an earlier destruction is not done.
    {
      warnings,
      isDone: (record, { unit }) => isDestroyed(record) || isDestructionDue(record, soonAfter(dueAt(unit.now))),
    },
  );
}

function checkAcknowledgement({ acknowledgeLastUse }: Acknowledgement): void {
  if (acknowledgeLastUse !== undefined) checkInstant('acknowledgeLastUse', acknowledgeLastUse);
}

/** Units of work that wait for one another may end in another order than they began, and clients repeat a call within moments. */
const SAME_TIME_MS = 60_000;

function soonAfter(at: Date): Date {
  return new Date(at.getTime() + SAME_TIME_MS);
}

/**
 * Takes a scheduled destruction back: the key is again what it was before.
 *
 * @throws KmsError `KEY_STATE_INVALID` when the waiting period is over: material in an HSM may be gone already.
 */
export function restoreKey(op: Operation, input: ChangeRequest): Promise<KeyDescription> {
  const restore: Change = (record, { unit }) => {
    if (isDestructionDue(record, unit.now))
      throw new KmsError('KEY_STATE_INVALID', 'The waiting period is over: the key is being destroyed.', {
        details: { state: record.state, event: 'restore' },
      });
    return takenBack();
  };
  return changeKey(op, OPERATIONS.restoreKey, input, restore, {
    isDone: (record) => record.destroyAt === null && !isDestroyed(record),
  });
}

/** Which key is destroyed at once, with its confirmation. */
export interface ShredKeyInput extends ChangeRequest, Acknowledgement {
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
export async function shredKey(op: Operation, input: ShredKeyInput): Promise<KeyDescription> {
  const { kms, caller } = op;
  checkChange(input, op.idempotency);
  if (typeof input.confirmation !== 'string' || input.confirmation.toLowerCase() !== `shred-${input.keyId}`)
    throw badRequest('confirmation', 'must be SHRED- followed by the id of the key');
  checkAcknowledgement(input);
  const { acknowledgeLastUse } = input;
  const daysForAll = await guardDaysOf(kms, caller.tenantId);
  const seen = await kms.keyRing.read(caller.tenantId, input.keyId);
  const warnings: string[] = [];
  const done = { warnings, isDone: isDestroyed };
  const guard = async (record: KeyRecord, { unit }: ChangeContext) => {
    warnings.splice(0, Infinity, ...(await guardLastUse(kms, unit, record, { acknowledgeLastUse, daysForAll })));
  };
  if (isDestroyed(seen) || !seen.versions.some(isResident))
    return changeKey(
      op,
      OPERATIONS.shredKey,
      input,
      async (record, context) => {
        await guard(record, context);
        return destruction(record);
      },
      { ...done, seen },
    );
  // The answer that is kept under an idempotency key is that of the whole operation.
  const once = { ...op, idempotency: undefined };
  await changeKey(
    once,
    CONDEMNATION,
    input,
    async (record, context) => {
      await guard(record, context);
      return condemnation(record, context.unit.now);
    },
    { isDone: (record, { unit }) => isDestroyed(record) || isDestructionDue(record, unit.now) },
  );
  const condemned = await kms.keyRing.read(caller.tenantId, input.keyId);
  await destroyCondemned(kms, condemned);
  const { ifRevision: _checked, ...rest } = input;
  return changeKey(op, SHREDDING, rest, (record) => destruction(record, condemned), done);
}

/** The first step of a shred that has to wait for an HSM. */
const CONDEMNATION: KindOfChange = { ...OPERATIONS.shredKey, lifecycle: 'condemn' };
/** The last one: what needed approvals was the first. */
const { approval: _, ...SHREDDING } = OPERATIONS.shredKey satisfies KindOfChange;

async function destroyCondemned(kms: Kms, record: KeyRecord): Promise<void> {
  try {
    await destroyResident(kms, record);
  } catch (error) {
    if (!KmsError.is(error) || error.code !== 'HSM_UNAVAILABLE') throw error;
    throw new KmsError(
      'HSM_UNAVAILABLE',
      'The key is permanently out of use; its material is destroyed as soon as its HSM answers again.',
      { retryAfterSeconds: error.retryAfterSeconds ?? 1, cause: error },
    );
  }
}
