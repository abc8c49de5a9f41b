import type { Caller } from '../access/caller.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { boundedContext } from '../bounds/bounded-data.ts';
import { checkBytes } from '../bounds/check-values.ts';
import type { EncryptionContext } from '../envelope/associated-data.ts';
import { andThen, type MaybePromise } from '../engines/engine.ts';
import type { KeyId } from '../model/identifiers.ts';
import type { Kms } from './kms.ts';
import { openEnvelope } from './open-envelope.ts';

export interface DecryptInput {
  readonly ciphertext: Uint8Array;
  readonly context?: EncryptionContext;
  /** The key that it must be under; default: the one that the ciphertext names. */
  readonly keyId?: KeyId;
}

export interface DecryptResult {
  readonly plaintext: Uint8Array;
  readonly keyId: KeyId;
  readonly keyVersion: number;
}

/**
 * Decrypts under whichever version made the ciphertext.
 *
 * @throws KmsError `DECRYPT_FAILED`, the same for every way in which ciphertext or context can be wrong;
 * `KEY_STATE_INVALID` if the key or that version may no longer decrypt.
 */
export async function decrypt(kms: Kms, caller: Caller, input: DecryptInput): Promise<DecryptResult> {
  return decryptNow(kms, caller, input);
}

/** As `decrypt`, but answers, or throws, at once when there is nothing to wait for: the key is held in memory. */
export function decryptNow(kms: Kms, caller: Caller, input: DecryptInput): MaybePromise<DecryptResult> {
  checkBytes('ciphertext', input.ciphertext, BOUNDS.ciphertextBytes);
  const context = boundedContext(input.context);
  return andThen(
    openEnvelope(kms, caller, input.keyId ?? null, 'decrypt', input.ciphertext, context),
    ({ plaintext, used }) => ({ plaintext, keyId: used.key.keyId, keyVersion: used.version.version }),
  );
}
