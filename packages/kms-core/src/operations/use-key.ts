import { authorize } from '../access/evaluate-policy.ts';
import type { Permission } from '../access/permissions.ts';
import { costOfUse } from '../algorithms/costs.ts';
import type { Algorithm } from '../algorithms/registry.ts';
import type { KeyEngine } from '../engines/engine.ts';
import { queuedEngine } from '../engines/queued-engine.ts';
import { badRequest, KmsError } from '../errors/kms-error.ts';
import type { LoadedKey, LoadedVersion } from '../keyring/loaded-key.ts';
import { patientEngine } from '../keyring/patient-engine.ts';
import { actOf, admitKey, admitVersion, requireApprovedUse } from '../lifecycle/admission.ts';
import type { CryptoOperation } from '../algorithms/crypto-operation.ts';
import type { MaybePromise } from '../base/maybe-promise.ts';
import type { KeyId } from '../model/identifiers.ts';
import type { KeyRecord, KeyVersionRecord } from '../model/key.ts';
import type { Operation } from './operation.ts';
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
  /** What its ciphertexts begin with; absent where it makes none. */
  readonly header: Uint8Array | undefined;
  readonly engine: KeyEngine;
}

/** A key version that is ready for several uses at once. */
export interface ReadyAtOnce {
  readonly version: LoadedVersion;
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
    KmsError.is(error) && error.code === 'KEY_USAGE_EXCEEDED' && error.details?.['version'] === record.currentVersion;
  if (!spent || !record.rotation.auto) return false;
  try {
    await rotateUnattended(op, record, (now) => now.currentVersion === record.currentVersion);
  } catch (cause) {
    if (KmsError.is(cause) && cause.code === 'QUOTA_EXCEEDED') return false;
    throw cause;
  }
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

/** Checks, pays for and opens a version of an admitted key. */
export function ready(op: Operation, request: KeyRequest, loaded: LoadedKey): MaybePromise<UsableVersion> {
  const version = admittedVersion(op, request, loaded);
  op.kms.counter.requireRoom(loaded.record.tenantId, op.kms.clock);
  const asked = op.pay?.(costOfUse(version.algorithm, request.use.crypto));
  if (asked instanceof Promise) return readyAfterPayment(op, request, asked, null);
  const payment = op.kms.budgets.take(loaded.record, version, request.use.crypto);
  return payment === undefined
    ? opened(op, request, loaded.record, version)
    : readyAfterPayment(op, request, payment, version.record.version);
}

/**
 * A limit that is asked, and the store that takes a payment, may have taken their time, so the key counts as it is then: it is admitted
 * and chosen once more, and what comes out is paid for unless it is the version that is.
 *
 * @param paid the version that the payment is for, `null` where it is for none
 */
async function readyAfterPayment(
  op: Operation,
  request: KeyRequest,
  payment: Promise<void>,
  paid: number | null,
): Promise<UsableVersion> {
  let isPaid = paid;
  for (let waiting: MaybePromise<void> = payment; ; ) {
    await waiting;
    const loaded = await loadAdmitted(op, request);
    const version = admittedVersion(op, request, loaded, 0);
    if (version.record.version === isPaid) return opened(op, request, loaded.record, version);
    waiting = op.kms.budgets.take(loaded.record, version, request.use.crypto);
    if (waiting === undefined) return opened(op, request, loaded.record, version);
    isPaid = version.record.version;
  }
}

/**
 * The version that is asked for, if it may be used. Throws `BAD_REQUEST` for one that the key does not have.
 *
 * @param uses how many uses it is asked for that were not counted yet
 */
function admittedVersion(
  { kms, evidence }: Operation,
  request: KeyRequest,
  loaded: LoadedKey,
  uses = 1,
): LoadedVersion {
  const { record } = loaded;
  const version = loaded.version(request.version ?? record.currentVersion);
  if (version === undefined) throw badRequest('keyVersion', 'the key has no such version');
  evidence?.uses(record.keyId, version.record.version);
  admitVersion(version.record, request.use.crypto);
  const { requireFips, legacyRead = false, cryptoPolicy } = kms.settings;
  if (requireFips) requireApprovedUse(version.algorithm, request.use.crypto, legacyRead);
  cryptoPolicy?.require(version.algorithm, actOf(request.use.crypto), kms.clock, uses);
  return version;
}

function opened(op: Operation, { use }: KeyRequest, key: KeyRecord, loaded: LoadedVersion): UsableVersion {
  const { counter, uses, clock } = op.kms;
  counter.count(key.tenantId);
  const now = clock();
  if (now >= (loaded.noted[use.crypto] ?? 0)) uses.note(key.keyId, loaded, use.crypto, now);
  const { record: version, algorithm, header } = loaded;
  const engine = loaded.engine();
  if (version.material.kind === 'resident')
    return { key, version, algorithm, header, engine: patientEngine(engine, version, clock) };
  return { key, version, algorithm, header, engine: loaded.isQueued ? inTurn(op, key, algorithm, engine) : engine };
}

/**
 * Makes one version of a held key ready for several uses at once, which the caller counts: within one turn of the event loop
 * {@link ready} would answer the same to each. `undefined` for a version whose uses wait for something, cost more than the unit that is
 * paid, or count against a budget, where each use leaves evidence, and where not all of them may be done. Throws what `ready` throws.
 */
export function readyAtOnce(
  op: Operation,
  request: KeyRequest,
  loaded: LoadedKey,
  uses: number,
): ReadyAtOnce | undefined {
  if (op.evidence !== undefined) return undefined;
  const { crypto } = request.use;
  admit(op, request.use, loaded.record);
  const version = admittedVersion(op, request, loaded, uses);
  if (version.isQueued || version.record.material.kind === 'resident') return undefined;
  if (costOfUse(version.algorithm, crypto) > 1) return undefined;
  if (!op.kms.counter.hasRoomFor(uses, loaded.record.tenantId, op.kms.clock)) return undefined;
  if (!op.kms.budgets.isUnbounded(loaded.record, version, crypto)) return undefined;
  const now = op.kms.clock();
  if (now >= (version.noted[crypto] ?? 0)) op.kms.uses.note(loaded.record.keyId, version, crypto, now);
  return { version, engine: version.engine() };
}

/** The engine whose slow work waits for the turn of the tenant. */
function inTurn({ kms, client }: Operation, key: KeyRecord, algorithm: Algorithm, engine: KeyEngine): KeyEngine {
  return queuedEngine(engine, algorithm, (units, work) => kms.jobs.run({ owner: key.tenantId, units, client }, work));
}

/** The engine's method, or the error for a key whose algorithm lacks it. */
export function capability<K extends keyof KeyEngine>(used: UsableVersion, name: K): NonNullable<KeyEngine[K]> {
  const method = used.engine[name];
  if (method === undefined) throw badRequest('keyId', `a key with the algorithm ${used.algorithm.id} cannot do this`);
  return method;
}
