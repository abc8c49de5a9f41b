import type { Algorithm } from '../algorithms/registry.ts';
import { algorithmById } from '../algorithms/resolve.ts';
import { cipherOf } from '../algorithms/version-cipher.ts';
import { authorize } from '../access/evaluate-policy.ts';
import type { Caller } from '../access/caller.ts';
import { andThen, type KeyEngine, type MaybePromise } from '../engines/engine.ts';
import { decryptFailed, type EnvelopeHeader, parseHeader } from '../envelope/header.ts';
import { badRequest, KmsError } from '../errors/kms-error.ts';
import type { LoadedKey } from '../keyring/loaded-key.ts';
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
  return andThen(admit(kms, caller, keyId, operation, permission), (loaded) => {
    const used = ready(kms, loaded, versionOf(loaded.record, versionNumber), operation);
    // A budget that may be at its end is always asked for with a promise.
    if (versionNumber !== null || !(used instanceof Promise)) return used;
    return used.catch(async (error: unknown) => {
      if (!(await rotatedAtBudgetEnd(kms, loaded.record, error))) throw error;
      const renewed = await admit(kms, caller, keyId, operation, permission);
      return ready(kms, renewed, versionOf(renewed.record, null), operation);
    });
  });
}

function versionOf(record: KeyRecord, versionNumber: number | null): KeyVersionRecord {
  const wanted = versionNumber ?? record.currentVersion;
  const version = record.versions.find((candidate) => candidate.version === wanted);
  if (version === undefined) throw badRequest('keyVersion', 'the key has no such version');
  return version;
}

/** A version at the end of its message budget gives way to a new one where the key rotates by itself. */
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
    authorize(caller, `kms:${permission}`, loaded.record, now);
    admitKey(loaded.record, operation, now);
    return loaded;
  });
}

/** Checks and opens one version of an admitted key. */
export function ready(
  kms: Kms,
  loaded: LoadedKey,
  version: KeyVersionRecord,
  operation: CryptoOperation,
  budget: 'due' | 'paid' = 'due',
): MaybePromise<UsableVersion> {
  const key = loaded.record;
  kms.evidence?.uses(key.keyId, version.version);
  admitVersion(version, operation);
  const algorithm = algorithmById(version.algorithm);
  requireApproved(kms, algorithm);
  const paid = budget === 'due' ? kms.budgets.take(key, version, operation) : undefined;
  return andThen(paid, () => {
    kms.counter.count(key.tenantId);
    return andThen(loaded.engine(version), (engine) => ({ key, version, algorithm, engine }));
  });
}

/** What was opened, and by what. */
export interface OpenedEnvelope {
  readonly plaintext: Uint8Array;
  readonly used: UsableVersion;
}

/**
 * Opens a ciphertext of the envelope: finds key and version from its header.
 *
 * @param keyId the key that the caller named, or `null` to take the one that the ciphertext names
 * @throws KmsError `DECRYPT_FAILED` for every way in which the ciphertext can be wrong.
 */
export function openEnvelope(
  kms: Kms,
  caller: Caller,
  keyId: KeyId | null,
  operation: 'decrypt' | 'unwrap',
  ciphertext: Uint8Array,
  associatedData: Uint8Array,
  permission: CryptoOperation = operation,
): MaybePromise<OpenedEnvelope> {
  const header = readHeader(ciphertext);
  return andThen(admitNamed(kms, caller, keyId, header, operation, permission), (loaded) => {
    if (isLegacy(loaded.record)) return openLegacy(kms, loaded, operation, ciphertext, associatedData);
    if (header === undefined || header.keyId !== loaded.record.keyId) throw decryptFailed();
    const version = loaded.record.versions.find((candidate) => candidate.version === header.keyVersion);
    if (version === undefined || cipherOf(version).suite !== header.suite) throw decryptFailed();
    return andThen(ready(kms, loaded, version, operation), (used) => {
      if (used.engine.open === undefined) throw decryptFailed();
      return andThen(used.engine.open(ciphertext, associatedData), (plaintext) => ({ plaintext, used }));
    });
  });
}

function readHeader(ciphertext: Uint8Array): EnvelopeHeader | undefined {
  try {
    return parseHeader(ciphertext);
  } catch (error) {
    // Data of another system has no header; whether that is an error depends on the key.
    if (error instanceof KmsError && error.code === 'DECRYPT_FAILED') return undefined;
    throw error;
  }
}

function admitNamed(
  kms: Kms,
  caller: Caller,
  keyId: KeyId | null,
  header: EnvelopeHeader | undefined,
  operation: CryptoOperation,
  permission: CryptoOperation,
): MaybePromise<LoadedKey> {
  if (keyId !== null) return admit(kms, caller, keyId, operation, permission);
  if (header === undefined) throw decryptFailed();
  return admitFound(kms, caller, header.keyId, operation, permission);
}

async function admitFound(
  kms: Kms,
  caller: Caller,
  keyId: KeyId,
  operation: CryptoOperation,
  permission: CryptoOperation,
): Promise<LoadedKey> {
  try {
    return await admit(kms, caller, keyId, operation, permission);
  } catch (error) {
    // The caller named no key: a ciphertext of an unknown key is just a wrong ciphertext.
    if (error instanceof KmsError && error.code === 'NOT_FOUND') throw decryptFailed(error);
    throw error;
  }
}

/** Whether the key opens data of another system, which has no envelope. */
function isLegacy(record: KeyRecord): boolean {
  return algorithmById(versionOf(record, null).algorithm).family === 'legacy-cipher';
}

async function openLegacy(
  kms: Kms,
  loaded: LoadedKey,
  operation: CryptoOperation,
  ciphertext: Uint8Array,
  associatedData: Uint8Array,
): Promise<OpenedEnvelope> {
  const used = await ready(kms, loaded, versionOf(loaded.record, null), operation);
  if (used.engine.openLegacy === undefined) throw decryptFailed();
  if (associatedData.some((byte) => byte !== 0))
    throw badRequest('context', 'data of another system has no authenticated context');
  return { plaintext: await used.engine.openLegacy(ciphertext), used };
}

/** The engine's method, or the error for a key whose algorithm lacks it. */
export function capability<K extends keyof KeyEngine>(used: UsableVersion, name: K): NonNullable<KeyEngine[K]> {
  const method = used.engine[name];
  if (method === undefined) throw badRequest('keyId', `a key with the algorithm ${used.algorithm.id} can not do this`);
  return method;
}
