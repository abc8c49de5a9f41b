import { KmsError } from '../errors/kms-error.ts';
import type { MigrationAuthority } from '../hierarchy/migration-authority.ts';
import type { KeyMigrationRecord } from '../model/key-migration.ts';
import type { UnitOfWork } from '../ports/store.ts';
import { reportForged } from './authentic-records.ts';
import type { Operation } from './operation.ts';

/** How many migrations a run takes on before the first of them gets its next turn. */
const AT_ONCE = 20;

/** What a process works on migrations with. */
export interface MigrationWork {
  readonly service: Operation;
  readonly authority: MigrationAuthority;
  readonly holder: string;
  readonly leaseMs: number;
  readonly signal: AbortSignal;
}

/** Nobody is to go on with it here: it was cancelled, or another process has taken it over. */
export class NotHeld extends Error {
  override readonly name = 'NotHeld';
}

/**
 * Takes hold of some that nobody holds.
 *
 * @param passedOver gets the ids of those whose record is not authentic
 */
export async function takeDue(
  { service, authority, holder, leaseMs }: MigrationWork,
  passedOver: Set<string>,
): Promise<readonly KeyMigrationRecord[]> {
  const { kms } = service;
  return kms.store.transact({ kind: 'system' }, async (unit) => {
    const held: KeyMigrationRecord[] = [];
    for (const record of await unit.migrations.lockDue(AT_ONCE, [...passedOver])) {
      try {
        authority.verify(record);
      } catch (error) {
        passedOver.add(record.migrationId);
        const { migrationId } = record;
        reportForged(kms, `The stored record of the migration ${migrationId} failed its integrity check.`, error);
        continue;
      }
      const taken = { ...record, holder, dueAt: later(unit.now, leaseMs) };
      held.push(await writeMigration({ unit, authority }, record, taken));
    }
    return held;
  });
}

interface Writing {
  readonly unit: UnitOfWork;
  readonly authority: MigrationAuthority;
}

/** Stores a migration that is locked as it is to be. */
export async function writeMigration(
  { unit, authority }: Writing,
  { revision }: KeyMigrationRecord,
  next: KeyMigrationRecord,
): Promise<KeyMigrationRecord> {
  const signed = authority.sign({ ...next, revision: revision + 1 });
  await unit.migrations.update(signed);
  return signed;
}

export function later(now: Date, milliseconds: number): Date {
  return new Date(now.getTime() + milliseconds);
}

/** The migration as it is stored, locked. Throws {@link NotHeld} where it is no longer this process's. */
export async function lockHeld(
  { authority, holder }: MigrationWork,
  unit: UnitOfWork,
  migrationId: string,
): Promise<KeyMigrationRecord> {
  const record = await unit.migrations.get(migrationId, { lock: true });
  if (record?.state !== 'running' || record.holder !== holder) throw new NotHeld();
  authority.verify(record);
  return record;
}

/** Keeps hold of the migration until something is made, which may take longer than a lease. */
export async function heldWhile<T>(
  work: MigrationWork,
  { tenantId, migrationId }: KeyMigrationRecord,
  making: Promise<T>,
): Promise<T> {
  const { service, authority, leaseMs } = work;
  const renew = async () => {
    try {
      await service.kms.store.transact({ kind: 'tenant', tenantId }, async (unit) => {
        const held = await lockHeld(work, unit, migrationId);
        await writeMigration({ unit, authority }, held, { ...held, dueAt: later(unit.now, leaseMs) });
      });
    } catch (error) {
      // The unit that stores the version finds out that it is not held any more.
      if (!KmsError.is(error) && !(error instanceof NotHeld)) throw error;
    }
  };
  let renewal = Promise.resolve();
  const timer = setInterval(() => {
    renewal = renewal.then(renew);
  }, leaseMs / 3);
  try {
    return await making;
  } finally {
    clearInterval(timer);
    await renewal;
  }
}
