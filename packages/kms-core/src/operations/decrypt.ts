import { BOUNDS } from '../bounds/bounds.ts';
import { boundedContext } from '../bounds/bounded-data.ts';
import { checkBytes } from '../bounds/check-values.ts';
import type { EncryptionContext } from '../envelope/associated-data.ts';
import type { MaybePromise } from '../base/maybe-promise.ts';
import type { KeyId } from '../model/identifiers.ts';
import { OPERATIONS } from './catalog.ts';
import { type OpenedEnvelope, openEnvelope } from './open-envelope.ts';
import type { Operation } from './operation.ts';

/** What is decrypted; the envelope names its key itself. */
export interface DecryptInput {
  readonly ciphertext: Uint8Array;
  readonly context?: EncryptionContext;
  /** The key that it must be under; default: the one that the ciphertext names. */
  readonly keyId?: KeyId;
}

/** A plaintext, and which version of which key opened it. */
export interface DecryptResult {
  readonly plaintext: Uint8Array;
  readonly keyId: KeyId;
  readonly keyVersion: number;
}

/**
 * Decrypts under whichever version made the ciphertext. Answers without a promise when the key is held in memory and its engine needs none.
 *
 * @throws KmsError `DECRYPT_FAILED`, the same for every way in which ciphertext or context can be wrong;
 * `KEY_STATE_INVALID` if the key or that version may no longer decrypt.
 */
export function decrypt(op: Operation, input: DecryptInput): MaybePromise<DecryptResult> {
  checkBytes('ciphertext', input.ciphertext, BOUNDS.ciphertextBytes);
  const context = boundedContext(input.context);
  const opened = openEnvelope(op, OPERATIONS.decrypt, {
    keyId: input.keyId ?? null,
    ciphertext: input.ciphertext,
    associatedData: context,
  });
  return opened instanceof Promise ? opened.then(resultOf) : resultOf(opened);
}

function resultOf({ plaintext, used }: OpenedEnvelope): DecryptResult {
  return { plaintext, keyId: used.key.keyId, keyVersion: used.version.version };
}
