import type { Caller } from '../access/caller.ts';
import { isAllowed } from '../access/evaluate-policy.ts';
import type { Algorithm } from '../algorithms/registry.ts';
import { algorithmById, postQuantumDefault } from '../algorithms/resolve.ts';
import { KmsError } from '../errors/kms-error.ts';
import { isImported } from '../lifecycle/versions.ts';
import type { KeyRecord } from '../model/key.ts';
import {
  type KeyMigrationRecord,
  type MigrationRefusal,
  type MigrationSelector,
  QUANTUM_SAFE,
} from '../model/key-migration.ts';
import type { Quotas } from '../model/quotas.ts';
import { hasRoomForVersion } from './add-version.ts';
import { OPERATIONS } from './catalog.ts';
import { chooseProtection } from './choose-protection.ts';
import type { Kms } from './kms.ts';

/** What a migration does with one key. */
export type KeyPlan =
  | { readonly action: 'upgrade'; readonly algorithm: Algorithm }
  | { readonly action: 'none' }
  | { readonly action: 'refuse'; readonly reason: MigrationRefusal };

/** What is asked of each key. */
export interface MigrationRules {
  readonly order: Pick<KeyMigrationRecord['order'], 'selector' | 'target'>;
  /** Who started it. */
  readonly starter: Caller;
  readonly quotas: Quotas;
}

/** Who started a migration, as the policies of keys see them: for as long as it runs they may do what they could do at its start. */
export function starterOf({ tenantId, order: { starter } }: Pick<KeyMigrationRecord, 'tenantId' | 'order'>): Caller {
  const { subject, ip, mfa } = starter;
  return { tenantId, subject, permissions: new Set([OPERATIONS.upgradeKey.permission]), attributes: { ip, mfa } };
}

/** Whether a migration is about a key. */
export function isSelected(
  { algorithm, purpose, protectionLevel, name, keyIds }: MigrationSelector,
  key: KeyRecord,
): boolean {
  return (
    key.state !== 'destroyed' &&
    (algorithm === undefined || key.algorithm === algorithm) &&
    (purpose === undefined || key.purpose === purpose) &&
    (protectionLevel === undefined || key.protectionLevel === protectionLevel) &&
    (name === undefined || key.name === name) &&
    (keyIds === undefined || keyIds.includes(key.keyId))
  );
}

/** Says what a migration does with a key, by its record alone. */
export function planKey(kms: Kms, key: KeyRecord, { order, starter, quotas }: MigrationRules): KeyPlan {
  const present = algorithmById(key.algorithm);
  if (order.target === QUANTUM_SAFE && present.quantumSafe) return { action: 'none' };
  const next = order.target === QUANTUM_SAFE ? successorOf(present, key) : algorithmById(order.target);
  if (next === present) return { action: 'none' };
  const reason = refusalOf(kms, key, present, next);
  if (reason !== undefined) return { action: 'refuse', reason };
  if (!isAllowed(starter, OPERATIONS.upgradeKey.permission, key, kms.clock())) return refuse('policy');
  if (!hasRoomForVersion(key, quotas)) return refuse('quota');
  // A `next` that is absent was refused above.
  return next === undefined ? refuse('no-successor') : { action: 'upgrade', algorithm: next };
}

/** As {@link planKey}, and asks the HSMs about a key that one of them holds. */
export async function planWithHsm(kms: Kms, key: KeyRecord, rules: MigrationRules): Promise<KeyPlan> {
  const plan = planKey(kms, key, rules);
  if (plan.action !== 'upgrade' || key.protectionLevel !== 'hsm') return plan;
  try {
    const { providers } = await chooseProtection(kms, plan.algorithm, 'hsm');
    return providers.length === 0 ? refuse('hsm') : plan;
  } catch (error) {
    if (!KmsError.is(error)) throw error;
    if (error.code === 'BAD_REQUEST') return refuse('hsm');
    if (error.code === 'HSM_UNAVAILABLE') return refuse('unavailable');
    throw error;
  }
}

function refuse(reason: MigrationRefusal): KeyPlan {
  return { action: 'refuse', reason };
}

function refusalOf(
  { settings, clock }: Kms,
  key: KeyRecord,
  present: Algorithm,
  next: Algorithm | undefined,
): MigrationRefusal | undefined {
  if (next === undefined) return 'no-successor';
  if (!next.purposes.includes(key.purpose) || next.importOnly) return 'purpose';
  if (present.quantumSafe && !next.quantumSafe) return 'weaker';
  if (settings.requireFips && !next.fipsApproved) return 'fips';
  if (settings.cryptoPolicy?.verdict(next, 'create', clock()).kind === 'refused') return 'crypto-policy';
  if (key.state !== 'active') return 'state';
  return isImported(key) ? 'imported' : undefined;
}

function successorOf(present: Algorithm, { purpose }: KeyRecord): Algorithm | undefined {
  try {
    return postQuantumDefault(present, purpose);
  } catch (error) {
    if (KmsError.is(error) && error.code === 'BAD_REQUEST') return undefined;
    throw error;
  }
}
