import { authorize } from '../access/evaluate-policy.ts';
import type { Permission } from '../access/permissions.ts';
import type { Algorithm } from '../algorithms/registry.ts';
import { algorithmById } from '../algorithms/resolve.ts';
import type { KeyEngine } from '../engines/engine.ts';
import { badRequest, KmsError } from '../errors/kms-error.ts';
import type { LoadedKey } from '../keyring/loaded-key.ts';
import { patientEngine } from '../keyring/patient-engine.ts';
import { admitKey, admitVersion } from '../lifecycle/admission.ts';
import type { CryptoOperation } from '../algorithms/crypto-operation.ts';
import type { MaybePromise } from '../base/maybe-promise.ts';
import type { KeyId } from '../model/identifiers.ts';
import type { KeyRecord, KeyVersionRecord } from '../model/key.ts';
import type { Operation } from './operation.ts';
import { requireApproved } from './require-approved.ts';
import { rotateUnattended } from './rotate-unattended.ts';

/** What a key is used for, and what that takes. Operations of the catalogue that use a key are such. */
export interface KeyUse {
  readonly crypto: CryptoOperation;
  readonly permission: Permission;
}

/** Which version of which key is to be used, and what for. */
export interface KeyRequest {
  readonly use: KeyUse;
  readonly keyId: KeyId;
  /** `null` for the current one. */
  readonly version: number | null;
}

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
 * @param version the version, or `null` for the current one
 */
export function useKey(
  op: Operation,
  use: KeyUse,
  keyId: KeyId,
  version: number | null = null,
): MaybePromise<UsableVersion> {
  const request = { use, keyId, version };
  const loaded = op.kms.keyRing.load(op.caller.tenantId, keyId);
  return loaded instanceof Promise
    ? loaded.then((late) => useLoaded(op, request, late))
    : useLoaded(op, request, loaded);
}

function useLoaded(op: Operation, request: KeyRequest, loaded: LoadedKey): MaybePromise<UsableVersion> {
  admit(op, request.use, loaded.record);
  const used = ready(op, request, loaded);
  // A budget that may be at its end is always asked for with a promise.
  if (request.version !== null || !(used instanceof Promise)) return used;
  return used.catch(async (error: unknown) => {
    if (!(await rotatedAtBudgetEnd(op, loaded.record, error))) throw error;
    return ready(op, request, await loadAdmitted(op, request));
  });
}

/** A version at the end of its message budget gives way to a new one if the key rotates automatically. */
async function rotatedAtBudgetEnd(op: Operation, record: KeyRecord, error: unknown): Promise<boolean> {
  const spent =
    error instanceof KmsError &&
    error.code === 'KEY_USAGE_EXCEEDED' &&
    error.details?.['version'] === record.currentVersion;
  if (!spent || !record.rotation.auto) return false;
  await rotateUnattended(op, record, (now) => now.currentVersion === record.currentVersion);
  return true;
}

/** Loads a key and checks everything about it that does not depend on a version. */
export async function loadAdmitted(op: Operation, { use, keyId }: KeyRequest): Promise<LoadedKey> {
  const loaded = await op.kms.keyRing.load(op.caller.tenantId, keyId);
  admit(op, use, loaded.record);
  return loaded;
}

/** Checks everything about a key that does not depend on a version. */
export function admit({ kms, caller, evidence }: Operation, use: KeyUse, record: KeyRecord): void {
  evidence?.uses(record.keyId, null);
  const now = kms.clock();
  authorize(caller, use.permission, record, now);
  admitKey(record, use.crypto, now);
}

/** One version of a key, or with `null` the current one. Throws `BAD_REQUEST` for one that the key does not have. */
export function versionOf(record: KeyRecord, versionNumber: number | null): KeyVersionRecord {
  const wanted = versionNumber ?? record.currentVersion;
  const version = record.versions.find((candidate) => candidate.version === wanted);
  if (version === undefined) throw badRequest('keyVersion', 'the key has no such version');
  return version;
}

/** Checks, pays for and opens a version of an admitted key. */
export function ready(op: Operation, request: KeyRequest, loaded: LoadedKey): MaybePromise<UsableVersion> {
  const version = versionOf(loaded.record, request.version);
  const usable = admittedVersion(op, request.use, version, loaded);
  const payment = op.kms.budgets.take(loaded.record, version, request.use.crypto);
  return payment === undefined ? opened(op, usable) : readyAfterPayment(op, request, payment, version.version);
}

/**
 * The store may have taken its time for a payment, so the key counts as it is then: it is admitted and chosen once more, and what comes
 * out is paid for unless it is the version that is.
 *
 * @param paid the version that the payment is for
 */
async function readyAfterPayment(
  op: Operation,
  request: KeyRequest,
  payment: Promise<void>,
  paid: number,
): Promise<UsableVersion> {
  let isPaid = paid;
  for (let waiting: MaybePromise<void> = payment; ; ) {
    await waiting;
    const loaded = await loadAdmitted(op, request);
    const version = versionOf(loaded.record, request.version);
    const usable = admittedVersion(op, request.use, version, loaded);
    if (version.version === isPaid) return opened(op, usable);
    waiting = op.kms.budgets.take(loaded.record, version, request.use.crypto);
    if (waiting === undefined) return opened(op, usable);
    isPaid = version.version;
  }
}

/** A version that may be used, and is not opened yet. */
interface Admitted {
  readonly loaded: LoadedKey;
  readonly version: KeyVersionRecord;
  readonly algorithm: Algorithm;
}

function admittedVersion(
  { kms, evidence }: Operation,
  use: KeyUse,
  version: KeyVersionRecord,
  loaded: LoadedKey,
): Admitted {
  evidence?.uses(loaded.record.keyId, version.version);
  admitVersion(version, use.crypto);
  const algorithm = algorithmById(version.algorithm);
  requireApproved(kms, algorithm);
  return { loaded, version, algorithm };
}

function opened({ kms }: Operation, { loaded, version, algorithm }: Admitted): UsableVersion {
  const key = loaded.record;
  kms.counter.count(key.tenantId);
  const engine = loaded.engine(version);
  const isResident = version.material.kind === 'resident';
  return { key, version, algorithm, engine: isResident ? patientEngine(engine, version, kms.clock) : engine };
}

/** The engine's method, or the error for a key whose algorithm lacks it. */
export function capability<K extends keyof KeyEngine>(used: UsableVersion, name: K): NonNullable<KeyEngine[K]> {
  const method = used.engine[name];
  if (method === undefined) throw badRequest('keyId', `a key with the algorithm ${used.algorithm.id} cannot do this`);
  return method;
}
