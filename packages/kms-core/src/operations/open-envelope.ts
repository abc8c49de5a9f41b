import { algorithmById } from '../algorithms/resolve.ts';
import { cipherOf } from '../algorithms/version-cipher.ts';
import type { Caller } from '../access/caller.ts';
import { andThen, type MaybePromise } from '../engines/engine.ts';
import { decryptFailed, type EnvelopeHeader, parseHeader } from '../envelope/header.ts';
import { badRequest, KmsError } from '../errors/kms-error.ts';
import type { LoadedKey } from '../keyring/loaded-key.ts';
import type { CryptoOperation } from '../lifecycle/operations.ts';
import type { KeyId } from '../model/identifiers.ts';
import type { KeyRecord } from '../model/key.ts';
import type { Kms } from './kms.ts';
import { type Again, admit, ready, type UsableVersion, versionOf } from './use-key.ts';

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
  const readmit = () => admitNamed(kms, caller, keyId, header, operation, permission);
  return andThen(readmit(), (loaded) => {
    if (isLegacy(loaded.record)) return openLegacy(kms, loaded, readmit, operation, ciphertext, associatedData);
    if (header === undefined || header.keyId !== loaded.record.keyId) throw decryptFailed();
    const version = loaded.record.versions.find((candidate) => candidate.version === header.keyVersion);
    if (version === undefined || cipherOf(version).suite !== header.suite) throw decryptFailed();
    const again: Again = { admit: readmit, choose: (record) => versionOf(record, version.version) };
    return andThen(ready(kms, loaded, version, operation, again), (used) => {
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
  readmit: Again['admit'],
  operation: CryptoOperation,
  ciphertext: Uint8Array,
  associatedData: Uint8Array,
): Promise<OpenedEnvelope> {
  const { version } = versionOf(loaded.record, null);
  const again: Again = { admit: readmit, choose: (record) => versionOf(record, version) };
  const used = await ready(kms, loaded, again.choose(loaded.record), operation, again);
  if (used.engine.openLegacy === undefined) throw decryptFailed();
  if (associatedData.some((byte) => byte !== 0))
    throw badRequest('context', 'data from another system has no authenticated context');
  return { plaintext: await used.engine.openLegacy(ciphertext), used };
}
