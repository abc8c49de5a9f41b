import { beginsWithHeader, decryptFailed, type EnvelopeHeader, parseHeader, versionIn } from '../envelope/header.ts';
import { badRequest, KmsError } from '../errors/kms-error.ts';
import type { LoadedKey } from '../keyring/loaded-key.ts';
import type { MaybePromise } from '../base/maybe-promise.ts';
import type { KeyId } from '../model/identifiers.ts';
import type { Operation } from './operation.ts';
import { admit, type KeyRequest, type KeyUse, ready, type UsableVersion } from './use-key.ts';

/** A ciphertext in the envelope format, or one of another system under a key that was imported for such data. */
export interface SealedText {
  /** The key that the caller named, or `null` to take the one that the ciphertext names. */
  readonly keyId: KeyId | null;
  readonly ciphertext: Uint8Array;
  readonly associatedData: Uint8Array;
}

/** What was opened, and by what. */
export interface OpenedEnvelope {
  readonly plaintext: Uint8Array;
  readonly used: UsableVersion;
}

/**
 * Opens a ciphertext of the envelope: finds key and version from its header.
 *
 * @throws KmsError `DECRYPT_FAILED` for every way in which the ciphertext can be wrong.
 */
export function openEnvelope(op: Operation, use: KeyUse, sealed: SealedText): MaybePromise<OpenedEnvelope> {
  const keyId = sealed.keyId ?? readHeader(sealed.ciphertext)?.keyId;
  if (keyId === undefined) throw decryptFailed();
  const loaded = op.kms.keyRing.load(op.caller.tenantId, keyId);
  if (!(loaded instanceof Promise)) return openWith(op, use, loaded, sealed);
  return foundFor(sealed, loaded).then((late) => openWith(op, use, late, sealed));
}

/** The header of a ciphertext; `undefined` for what no version of the KMS wrote. */
export function readHeader(ciphertext: Uint8Array): EnvelopeHeader | undefined {
  try {
    return parseHeader(ciphertext);
  } catch (error) {
    // Data of another system has no header; whether that is an error depends on the key.
    if (KmsError.is(error) && error.code === 'DECRYPT_FAILED') return undefined;
    throw error;
  }
}

/** Where the caller named no key, a ciphertext of an unknown key is just a wrong ciphertext. */
function foundFor<T>({ keyId }: SealedText, found: Promise<T>): Promise<T> {
  if (keyId !== null) return found;
  return found.catch((error: unknown) => {
    if (KmsError.is(error) && error.code === 'NOT_FOUND') throw decryptFailed(error);
    throw error;
  });
}

function openWith(op: Operation, use: KeyUse, loaded: LoadedKey, sealed: SealedText): MaybePromise<OpenedEnvelope> {
  const { record } = loaded;
  admit(op, use, record);
  if (isForLegacyData(loaded)) {
    const request = { use, keyId: record.keyId, version: record.currentVersion };
    return openLegacy(op, request, loaded, sealed);
  }
  const version = versionIn(sealed.ciphertext);
  // Format, suite and key are right where the header is, byte for byte, the one of that version.
  if (!beginsWithHeader(sealed.ciphertext, loaded.version(version)?.header)) throw decryptFailed();
  const used = ready(op, { use, keyId: record.keyId, version }, loaded);
  return used instanceof Promise ? foundFor(sealed, used).then((late) => openBy(late, sealed)) : openBy(used, sealed);
}

/** Whether a key was imported for data of another system. */
export function isForLegacyData(loaded: LoadedKey): boolean {
  return loaded.version(loaded.record.currentVersion)?.algorithm.family === 'legacy-cipher';
}

function openBy(used: UsableVersion, { ciphertext, associatedData }: SealedText): MaybePromise<OpenedEnvelope> {
  if (used.engine.open === undefined) throw decryptFailed();
  const plaintext = used.engine.open(ciphertext, associatedData);
  return plaintext instanceof Promise ? plaintext.then((late) => ({ plaintext: late, used })) : { plaintext, used };
}

/** Opens data of another system, which has no envelope. */
async function openLegacy(
  op: Operation,
  request: KeyRequest,
  loaded: LoadedKey,
  sealed: SealedText,
): Promise<OpenedEnvelope> {
  const { ciphertext, associatedData } = sealed;
  const used = await foundFor(sealed, Promise.resolve(ready(op, request, loaded)));
  if (used.engine.openLegacy === undefined) throw decryptFailed();
  if (associatedData.some((byte) => byte !== 0))
    throw badRequest('context', 'data from another system has no authenticated context');
  return { plaintext: await used.engine.openLegacy(ciphertext), used };
}
