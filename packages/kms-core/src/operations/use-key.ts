import type { Algorithm } from '../algorithms/registry.ts';
import { algorithmById } from '../algorithms/resolve.ts';
import { authorize } from '../access/evaluate-policy.ts';
import type { Caller } from '../access/caller.ts';
import { permissionToUse } from '../access/permissions.ts';
import { andThen, type KeyEngine, type MaybePromise } from '../engines/engine.ts';
import { badRequest, KmsError } from '../errors/kms-error.ts';
import type { LoadedKey } from '../keyring/loaded-key.ts';
import { patientEngine } from '../keyring/patient-engine.ts';
import { admitKey, admitVersion } from '../lifecycle/admission.ts';
import type { CryptoOperation } from '../lifecycle/operations.ts';
import type { KeyId } from '../model/identifiers.ts';
import type { KeyRecord, KeyVersionRecord } from '../model/key.ts';
import type { Kms } from './kms.ts';
import { requireApproved } from './require-approved.ts';
import { rotateUnattended } from './rotate-unattended.ts';

/** A key version that the caller may use for the operation at hand, paid for and ready. */
export interface UsableVersion {
  readonly key: KeyRecord;
  readonly version: KeyVersionRecord;
  readonly algorithm: Algorithm;
  readonly engine: KeyEngine;
}

/**
 * Makes one version of a key ready: authorises the caller, checks state, purpose, expiry and the version's state, takes
 * the operation from the budgets, and unseals. Without a promise when the key is held and nothing has to be asked for it.
 *
 * @param versionNumber the version, or `null` for the current one
 * @param permission the operation that the caller asked for, where this use is only a part of it
 */
export function useKey(
  kms: Kms,
  caller: Caller,
  keyId: KeyId,
  operation: CryptoOperation,
  versionNumber: number | null = null,
  permission: CryptoOperation = operation,
): MaybePromise<UsableVersion> {
  const again: Again = {
    admit: () => admit(kms, caller, keyId, operation, permission),
    choose: (record) => versionOf(record, versionNumber),
  };
  return andThen(again.admit(), (loaded) => {
    const used = ready(kms, loaded, again.choose(loaded.record), operation, again);
    // A budget that may be at its end is always asked for with a promise.
    if (versionNumber !== null || !(used instanceof Promise)) return used;
    return used.catch(async (error: unknown) => {
      if (!(await rotatedAtBudgetEnd(kms, loaded.record, error))) throw error;
      const renewed = await again.admit();
      return ready(kms, renewed, again.choose(renewed.record), operation, again);
    });
  });
}

/** How a key is made ready for use, for when that took so long that it must be asked again. */
export interface Again {
  admit(): MaybePromise<LoadedKey>;
  choose(record: KeyRecord): KeyVersionRecord;
}

/** One version of a key, or with `null` the current one. Throws `BAD_REQUEST` for one that the key does not have. */
export function versionOf(record: KeyRecord, versionNumber: number | null): KeyVersionRecord {
  const wanted = versionNumber ?? record.currentVersion;
  const version = record.versions.find((candidate) => candidate.version === wanted);
  if (version === undefined) throw badRequest('keyVersion', 'the key has no such version');
  return version;
}

/** A version at the end of its message budget gives way to a new one if the key rotates automatically. */
async function rotatedAtBudgetEnd(kms: Kms, record: KeyRecord, error: unknown): Promise<boolean> {
  const spent =
    error instanceof KmsError &&
    error.code === 'KEY_USAGE_EXCEEDED' &&
    error.details?.['version'] === record.currentVersion;
  if (!spent || !record.rotation.auto) return false;
  await rotateUnattended(kms, record, (now) => now.currentVersion === record.currentVersion);
  return true;
}

/** Loads a key and checks everything about it that does not depend on a version. */
export function admit(
  kms: Kms,
  caller: Caller,
  keyId: KeyId,
  operation: CryptoOperation,
  permission: CryptoOperation = operation,
): MaybePromise<LoadedKey> {
  return andThen(kms.keyRing.load(caller.tenantId, keyId), (loaded) => {
    kms.evidence?.uses(keyId, null);
    const now = kms.clock();
    authorize(caller, permissionToUse(permission), loaded.record, now);
    admitKey(loaded.record, operation, now);
    return loaded;
  });
}

/**
 * Checks and opens one version of an admitted key.
 *
 * @param again for an operation that is not paid for yet
 */
export function ready(
  kms: Kms,
  loaded: LoadedKey,
  version: KeyVersionRecord,
  operation: CryptoOperation,
  again: Again | 'paid',
): MaybePromise<UsableVersion> {
  const key = loaded.record;
  kms.evidence?.uses(key.keyId, version.version);
  admitVersion(version, operation);
  const algorithm = algorithmById(version.algorithm);
  requireApproved(kms, algorithm);
  const payment = again === 'paid' ? undefined : kms.budgets.take(key, version, operation);
  if (again !== 'paid' && payment !== undefined)
    return payment.then(() => readyAfterPayment(kms, version.version, operation, again));
  kms.counter.count(key.tenantId);
  const resident = version.material.kind === 'resident';
  return andThen(loaded.engine(version), (engine) => ({
    key,
    version,
    algorithm,
    engine: resident ? patientEngine(engine, version, kms.clock) : engine,
  }));
}

/** The store may have taken its time for the payment, so the key counts as it is now. */
async function readyAfterPayment(
  kms: Kms,
  paidVersion: number,
  operation: CryptoOperation,
  again: Again,
): Promise<UsableVersion> {
  const renewed = await again.admit();
  const chosen = again.choose(renewed.record);
  return ready(kms, renewed, chosen, operation, chosen.version === paidVersion ? 'paid' : again);
}

/** The engine's method, or the error for a key whose algorithm lacks it. */
export function capability<K extends keyof KeyEngine>(used: UsableVersion, name: K): NonNullable<KeyEngine[K]> {
  const method = used.engine[name];
  if (method === undefined) throw badRequest('keyId', `a key with the algorithm ${used.algorithm.id} cannot do this`);
  return method;
}
