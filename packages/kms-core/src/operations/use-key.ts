import type { Algorithm } from '../algorithms/registry.ts';
import { algorithmById } from '../algorithms/resolve.ts';
import { cipherOf } from '../algorithms/version-cipher.ts';
import { authorize } from '../access/evaluate-policy.ts';
import type { Caller } from '../access/caller.ts';
import type { KeyEngine } from '../engines/engine.ts';
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
 * the operation from the budgets, and unseals.
 *
 * @param versionNumber the version, or `null` for the current one
 * @param permission the operation that the caller asked for, where this use is only a part of it
 */
export async function useKey(
  kms: Kms,
  caller: Caller,
  keyId: KeyId,
  operation: CryptoOperation,
  versionNumber: number | null = null,
  permission: CryptoOperation = operation,
): Promise<UsableVersion> {
  const again: Again = {
    admit: () => admit(kms, caller, keyId, operation, permission),
    choose: (record) => versionOf(record, versionNumber),
  };
  const loaded = await again.admit();
  try {
    return await ready(kms, loaded, again.choose(loaded.record), operation, again);
  } catch (error) {
    if (versionNumber !== null || !(await rotatedAtBudgetEnd(kms, loaded.record, error))) throw error;
    const renewed = await again.admit();
    return ready(kms, renewed, again.choose(renewed.record), operation, again);
  }
}

/** How a key comes to be used, for when that took so long that it has to be asked once more. */
interface Again {
  admit(): Promise<LoadedKey>;
  choose(record: KeyRecord): KeyVersionRecord;
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
export async function admit(
  kms: Kms,
  caller: Caller,
  keyId: KeyId,
  operation: CryptoOperation,
  permission: CryptoOperation = operation,
): Promise<LoadedKey> {
  const loaded = await kms.keyRing.load(caller.tenantId, keyId);
  kms.evidence?.uses(keyId, null);
  const now = kms.clock();
  authorize(caller, `kms:${permission}`, loaded.record, now);
  admitKey(loaded.record, operation, now);
  return loaded;
}

/**
 * Checks and opens one version of an admitted key.
 *
 * @param again for an operation that is not paid for yet
 */
export async function ready(
  kms: Kms,
  loaded: LoadedKey,
  version: KeyVersionRecord,
  operation: CryptoOperation,
  again: Again | 'paid',
): Promise<UsableVersion> {
  const key = loaded.record;
  kms.evidence?.uses(key.keyId, version.version);
  admitVersion(version, operation);
  const algorithm = algorithmById(version.algorithm);
  requireApproved(kms, algorithm);
  const payment = again === 'paid' ? undefined : kms.budgets.take(key, version, operation);
  if (again !== 'paid' && payment !== undefined) {
    await payment;
    // The store may have taken its time, so the key counts as it is now.
    const renewed = await again.admit();
    const chosen = again.choose(renewed.record);
    return ready(kms, renewed, chosen, operation, chosen.version === version.version ? 'paid' : again);
  }
  kms.counter.count(key.tenantId);
  return { key, version, algorithm, engine: await loaded.engine(version) };
}

/**
 * Opens a ciphertext of the envelope: finds key and version from its header.
 *
 * @param keyId the key that the caller named, or `null` to take the one that the ciphertext names
 * @throws KmsError `DECRYPT_FAILED` for every way in which the ciphertext can be wrong.
 */
export async function openEnvelope(
  kms: Kms,
  caller: Caller,
  keyId: KeyId | null,
  operation: 'decrypt' | 'unwrap',
  ciphertext: Uint8Array,
  associatedData: Uint8Array,
  permission: CryptoOperation = operation,
): Promise<{ readonly plaintext: Uint8Array; readonly used: UsableVersion }> {
  const header = readHeader(ciphertext);
  const readmit = () => admitNamed(kms, caller, keyId, header, operation, permission);
  const loaded = await readmit();
  const legacy = await openLegacy(kms, loaded, readmit, operation, ciphertext, associatedData);
  if (legacy !== undefined) return legacy;
  if (header === undefined || header.keyId !== loaded.record.keyId) throw decryptFailed();
  const version = loaded.record.versions.find((candidate) => candidate.version === header.keyVersion);
  if (version === undefined || cipherOf(version).suite !== header.suite) throw decryptFailed();
  const again: Again = { admit: readmit, choose: (record) => versionOf(record, version.version) };
  const used = await ready(kms, loaded, version, operation, again);
  if (used.engine.open === undefined) throw decryptFailed();
  return { plaintext: await used.engine.open(ciphertext, associatedData), used };
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

async function admitNamed(
  kms: Kms,
  caller: Caller,
  keyId: KeyId | null,
  header: EnvelopeHeader | undefined,
  operation: CryptoOperation,
  permission: CryptoOperation,
): Promise<LoadedKey> {
  if (keyId !== null) return admit(kms, caller, keyId, operation, permission);
  if (header === undefined) throw decryptFailed();
  try {
    return await admit(kms, caller, header.keyId, operation, permission);
  } catch (error) {
    // The caller named no key: a ciphertext of an unknown key is just a wrong ciphertext.
    if (error instanceof KmsError && error.code === 'NOT_FOUND') throw decryptFailed(error);
    throw error;
  }
}

async function openLegacy(
  kms: Kms,
  loaded: LoadedKey,
  readmit: () => Promise<LoadedKey>,
  operation: CryptoOperation,
  ciphertext: Uint8Array,
  associatedData: Uint8Array,
) {
  const { record } = loaded;
  const current = record.versions.find((candidate) => candidate.version === record.currentVersion);
  if (current === undefined || algorithmById(current.algorithm).family !== 'legacy-cipher') return undefined;
  const again: Again = { admit: readmit, choose: (now) => versionOf(now, current.version) };
  const used = await ready(kms, loaded, current, operation, again);
  if (used.engine.openLegacy === undefined) return undefined;
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
