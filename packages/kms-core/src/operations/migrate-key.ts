import { KmsError } from '../errors/kms-error.ts';
import { OutcomeUnknown } from '../errors/outcome-unknown.ts';
import { nextPurpose } from '../lifecycle/versions.ts';
import type { KeyRecord } from '../model/key.ts';
import { afterKey, type KeyMigrationRecord, type KeyOutcome, type MigrationProgress } from '../model/key-migration.ts';
import { addVersion, nextVersionName } from './add-version.ts';
import { applyEvent, lockKey } from './change-key.ts';
import { heldWhile, later, lockHeld, type MigrationWork, writeMigration } from './held-migration.ts';
import { unattended } from './operation.ts';
import { isSelected, type KeyPlan, type MigrationRules, planKey, planWithHsm } from './plan-migration.ts';
import { prepareVersion } from './prepare-version.ts';

/** How often keys are tried that have to wait. */
const MOST_PASSES = 10;

/** What is known where a key is migrated. */
export interface KeyWork extends MigrationWork {
  readonly migration: KeyMigrationRecord;
  readonly rules: MigrationRules;
  readonly fail: (error: unknown) => void;
}

/** Does with one key what is to be done, and answers the progress after it, which is stored already if the key was changed. */
export async function migrateKey(
  work: KeyWork,
  key: KeyRecord,
  progress: MigrationProgress,
): Promise<MigrationProgress> {
  const { service, migration, rules } = work;
  if (key.createdAt > migration.createdAt || key.state === 'destroyed') return afterKey(progress, key, 'outside');
  if (!isSelected(rules.order.selector, key)) return afterKey(progress, key, 'unchanged');
  const plan = await planWithHsm(service.kms, key, rules);
  if (plan.action !== 'upgrade') return afterKey(progress, key, outcomeOf(plan, progress));
  try {
    return await upgrade(work, key, plan, progress);
  } catch (error) {
    const outcome = outcomeOfFailure(error, progress);
    if (outcome === 'failed') work.fail(error);
    return afterKey(progress, key, outcome);
  }
}

function outcomeOf(plan: Exclude<KeyPlan, { action: 'upgrade' }>, progress: MigrationProgress): KeyOutcome {
  if (plan.action === 'none') return 'unchanged';
  return plan.reason === 'unavailable' ? waitingIn(progress) : plan.reason;
}

function waitingIn({ pass }: MigrationProgress): KeyOutcome {
  return pass < MOST_PASSES ? 'waiting' : 'unavailable';
}

/** What a key counts as whose version was not made or stored. Throws what is not about this key. */
function outcomeOfFailure(error: unknown, progress: MigrationProgress): KeyOutcome {
  if (!KmsError.is(error) || OutcomeUnknown.is(error)) throw error;
  switch (error.code) {
    // It changed in the meantime, or its HSM did not answer.
    case 'CONFLICT':
    case 'NOT_FOUND':
    case 'KEY_STATE_INVALID':
    case 'HSM_UNAVAILABLE':
      return waitingIn(progress);
    case 'QUOTA_EXCEEDED':
      return 'quota';
    case 'BAD_REQUEST':
    case 'INTERNAL_ERROR':
      return 'failed';
    default:
      throw error;
  }
}

/** Upgrades a key and stores the progress, both or neither. */
async function upgrade(
  work: KeyWork,
  seen: KeyRecord,
  { algorithm }: Extract<KeyPlan, { action: 'upgrade' }>,
  progress: MigrationProgress,
): Promise<MigrationProgress> {
  const { service, migration, rules, leaseMs } = work;
  const { kms } = service;
  const { tenantId, keyId } = seen;
  const op = unattended(service, 'upgradeKey', tenantId);
  const next = afterKey(progress, seen, 'upgraded');
  try {
    const making = prepareVersion(op, {
      name: nextVersionName(seen),
      algorithm,
      protectionLevel: seen.protectionLevel,
      purpose: nextPurpose(seen, algorithm),
    });
    await using prepared = await heldWhile(work, migration, making);
    const upgraded = kms.hierarchy.under(tenantId, (chain) =>
      kms.store.transact({ kind: 'tenant', tenantId }, async (unit) => {
        const held = await lockHeld(work, unit, migration.migrationId);
        const locked = await lockKey(unit, chain, keyId, seen);
        const plan = planKey(kms, locked.record, rules);
        const isSame = plan.action === 'upgrade' && plan.algorithm === algorithm;
        if (!isSame || prepared.facts.protectionLevel !== locked.record.protectionLevel)
          throw new KmsError('CONFLICT', 'The key changed at the same moment.');
        await applyEvent(
          op,
          locked,
          'upgrade',
          (key, context) => addVersion(key, context, { prepared, quotas: rules.quotas, retainsAll: true }),
          `migration ${migration.migrationId}`,
        );
        const { authority } = work;
        await writeMigration({ unit, authority }, held, { ...held, progress: next, dueAt: later(unit.now, leaseMs) });
      }),
    );
    await prepared.stored(upgraded);
    return next;
  } finally {
    kms.keyRing.forget(keyId);
  }
}
