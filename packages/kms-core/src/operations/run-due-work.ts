import { destruction, isDestructionDue } from '../lifecycle/destruction.ts';
import { isResident } from '../lifecycle/versions.ts';
import type { KeyRecord } from '../model/key.ts';
import type { DueKey } from '../ports/store.ts';
import { applyEvent, lockKey } from './change-key.ts';
import { destroyResident } from './destroy-resident.ts';
import { type Operation, unattended } from './operation.ts';
import { rotateUnattended } from './rotate-unattended.ts';

/** What one run did. */
export interface DueWorkReport {
  readonly rotated: number;
  readonly destroyed: number;
  /** Keys whose turn failed; they come up again at the next run. */
  readonly failed: readonly { readonly key: Pick<KeyRecord, 'tenantId' | 'keyId'>; readonly error: unknown }[];
}

const KEYS_PER_PAGE = 100;

/**
 * Does what schedules ask for: destroys keys whose waiting period is over, rotates keys whose rotation is due. Any
 * number of nodes may run it at once: each key is checked again under its lock, and only the store's clock counts.
 *
 * @param signal ends the run after the page of keys that it is at
 */
export async function runDueWork(service: Operation, signal: AbortSignal): Promise<DueWorkReport> {
  const destroyed = await forEachDue(service, 'destruction', destroyIfDue, signal);
  const rotated = await forEachDue(service, 'rotation', rotateIfDue, signal);
  return { destroyed: destroyed.done, rotated: rotated.done, failed: [...destroyed.failed, ...rotated.failed] };
}

async function forEachDue(
  service: Operation,
  due: 'rotation' | 'destruction',
  work: (service: Operation, key: KeyRecord) => Promise<boolean>,
  signal: AbortSignal,
) {
  const failed: { key: KeyRecord; error: unknown }[] = [];
  let done = 0;
  let after: DueKey | undefined;
  do {
    const page = await service.kms.store.transact({ kind: 'system' }, (unit) =>
      unit.keys.lockDue(due, KEYS_PER_PAGE, after),
    );
    for (const key of page) {
      try {
        if (await work(service, key)) done += 1;
      } catch (error) {
        // One key that cannot be worked on must not keep the others from their turn; the report names it.
        failed.push({ key, error });
      }
    }
    after = page.length < KEYS_PER_PAGE ? undefined : placeOf(page.at(-1), due);
  } while (after !== undefined && !signal.aborted);
  return { done, failed };
}

/** Where the next page starts. */
function placeOf(key: KeyRecord | undefined, due: 'rotation' | 'destruction'): DueKey | undefined {
  const at = due === 'rotation' ? key?.rotation.nextRotationAt : key?.destroyAt;
  return key === undefined || !at ? undefined : { at, keyId: key.keyId };
}

async function destroyIfDue(service: Operation, { tenantId, keyId }: KeyRecord): Promise<boolean> {
  const op = unattended(service, 'destroyKey', tenantId);
  const { kms } = op;
  try {
    const due = await kms.hierarchy.under(tenantId, (chain) =>
      kms.store.transact({ kind: 'tenant', tenantId }, async (unit) => {
        const locked = await lockKey(unit, chain, keyId);
        const { record } = locked;
        if (!isDestructionDue(record, unit.now)) return undefined;
        if (!record.versions.some(isResident)) await applyEvent(op, locked, 'purge', (key) => destruction(key));
        return record;
      }),
    );
    if (due?.versions.some(isResident)) await purgeResident(op, due);
    return due !== undefined;
  } finally {
    kms.keyRing.forget(keyId);
  }
}

/** A key that is due is never used again, so its objects can be destroyed without a lock on its record. */
async function purgeResident(op: Operation, due: KeyRecord): Promise<void> {
  const { kms } = op;
  const { tenantId, keyId } = due;
  await destroyResident(kms, due);
  await kms.hierarchy.under(tenantId, (chain) =>
    kms.store.transact({ kind: 'tenant', tenantId }, async (unit) => {
      const locked = await lockKey(unit, chain, keyId);
      // Another node may have been faster.
      if (isDestructionDue(locked.record, unit.now))
        await applyEvent(op, locked, 'purge', (key) => destruction(key, due));
    }),
  );
}

function rotateIfDue(service: Operation, seen: KeyRecord): Promise<boolean> {
  return rotateUnattended(
    service,
    seen,
    ({ rotation }, now) => rotation.auto && rotation.nextRotationAt !== null && rotation.nextRotationAt <= now,
  );
}
