import { KmsError } from '../errors/kms-error.ts';
import { fieldOf, KEY_DESTROY_GUARD } from '../model/record-fields.ts';
import type { TenantId } from '../model/identifiers.ts';
import type { KeyRecord } from '../model/key.ts';
import type { UnitOfWork } from '../ports/store.ts';
import type { Kms } from './kms.ts';

const MILLISECONDS_PER_DAY = 24 * 60 * 60 * 1000;

/** When a key was last used, as far as that is known on this node. */
export interface LastUse {
  /** The beginning of the hour; `null` where no use was written down. */
  readonly at: Date | null;
  /** The version that was used then. */
  readonly version: number;
  /** Whether it was to protect something new. */
  readonly toProtect: boolean;
  /** From when on uses of it are written down: its creation, or the upgrade to the first release that did so. */
  readonly since: Date;
}

/** Reads when a key was last used: what is stored, and what this node has noted and not written yet. */
export async function lastUseOf({ uses }: Pick<Kms, 'uses'>, unit: UnitOfWork, record: KeyRecord): Promise<LastUse> {
  const { keyId, createdAt } = record;
  const known = await unit.keys.lastUses([keyId]);
  const since = known.since > createdAt ? known.since : createdAt;
  let last: LastUse = { at: null, version: 0, toProtect: false, since };
  for (const { version, protectedAt, processedAt } of [...known.versions, ...uses.notWritten(keyId)]) {
    if (protectedAt !== null && protectedAt > (last.at ?? 0))
      last = { at: protectedAt, version, toProtect: true, since };
    if (processedAt !== null && processedAt > (last.at ?? 0))
      last = { at: processedAt, version, toProtect: false, since };
  }
  return last;
}

/** What the caller says of the last use of a key that is to be destroyed. */
export interface Acknowledgement {
  /** The hour of the last use, as the refusal names it. */
  readonly acknowledgeLastUse?: Date | undefined;
}

/** What is known of a destruction before its unit of work. */
export interface GuardedDestruction extends Acknowledgement {
  /** For how many days after their last use all keys of the tenant are guarded; that of the key itself counts where it is longer. */
  readonly daysForAll: number;
}

/** For how many days after their last use the keys of a tenant are guarded. Asked before a unit of work: it may read the store. */
export async function guardDaysOf(
  { quotas, settings }: Pick<Kms, 'quotas' | 'settings'>,
  tenantId: TenantId,
): Promise<number> {
  const own = await quotas.ownOf(tenantId);
  return own?.destroyGuardDays ?? settings.destroyGuardDays ?? 0;
}

/**
 * Checks that the caller knows of the last use of a key that is to be destroyed, if that was within the time that its guard asks for, and
 * that what the caller says of it is right in any case.
 *
 * @returns what the answer says about it
 * @throws KmsError `KEY_STATE_INVALID` with the last use, to be acknowledged
 */
export async function guardLastUse(
  kms: Pick<Kms, 'uses'>,
  unit: UnitOfWork,
  record: KeyRecord,
  { acknowledgeLastUse: acknowledged, daysForAll }: GuardedDestruction,
): Promise<readonly string[]> {
  const last = await lastUseOf(kms, unit, record);
  const isUnknown = last.at === null && last.since > record.createdAt;
  // A key that is older than the notes may have been used until they began.
  const at = last.at ?? (isUnknown ? last.since : null);
  const days = Math.max(fieldOf(record.fields, KEY_DESTROY_GUARD) ?? 0, daysForAll);
  const isGuarded = at !== null && days > 0 && at.getTime() > unit.now.getTime() - days * MILLISECONDS_PER_DAY;
  const said = describe(last, isUnknown);
  if (acknowledged === undefined ? isGuarded : acknowledged.getTime() !== at?.getTime())
    throw new KmsError(
      'KEY_STATE_INVALID',
      at === null
        ? `${said} There is nothing to acknowledge.`
        : `${said} To destroy it all the same, say so with acknowledgeLastUse: ${at.toISOString()}.`,
      {
        details: {
          state: record.state,
          lastUse: at?.toISOString() ?? null,
          ...(days > 0 ? { destroyGuardDays: days } : {}),
        },
      },
    );
  return at === null ? [] : [said];
}

function describe({ at, version, toProtect, since }: LastUse, isUnknown: boolean): string {
  if (at !== null)
    return `The key was last used in the hour from ${at.toISOString()}, version ${version} to ${toProtect ? 'protect something new' : 'process what it protected'}.`;
  return isUnknown
    ? `The key was not used since ${since.toISOString()}; whether it was before that is not known.`
    : 'The key was not used.';
}
