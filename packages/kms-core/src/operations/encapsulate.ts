import { BOUNDS } from '../bounds/bounds.ts';
import { checkBytes, checkVersion } from '../bounds/check-values.ts';
import type { Encapsulation } from '../engines/engine.ts';
import type { KeyId } from '../model/identifiers.ts';
import { OPERATIONS } from './catalog.ts';
import type { Operation } from './operation.ts';
import { capability, useKey } from './use-key.ts';

/** A shared secret, its encapsulation, and which version of which key made it. */
export interface EncapsulateResult extends Encapsulation {
  readonly keyId: KeyId;
  readonly keyVersion: number;
  readonly algorithm: string;
}

/** Makes a shared secret and its encapsulation to the current version of a KEM key. */
export async function encapsulate(op: Operation, input: { readonly keyId: KeyId }): Promise<EncapsulateResult> {
  const used = await useKey(op, OPERATIONS.encapsulate, input.keyId);
  const { sharedSecret, ciphertext } = await capability(used, 'encapsulate')();
  return {
    sharedSecret,
    ciphertext,
    keyId: used.key.keyId,
    keyVersion: used.version.version,
    algorithm: used.algorithm.id,
  };
}

/** The encapsulation of a shared secret, and the key that opens it. */
export interface DecapsulateInput {
  readonly keyId: KeyId;
  readonly ciphertext: Uint8Array;
  /** The version that it was made for; default: the current one. A KEM ciphertext does not name its version. */
  readonly keyVersion?: number;
}

/** A shared secret, and which version of which key opened it. */
export interface DecapsulateResult {
  /** For a ciphertext that was tampered with, this is a different secret (FIPS 203, implicit rejection): confirm it before use. */
  readonly sharedSecret: Uint8Array;
  readonly keyId: KeyId;
  readonly keyVersion: number;
}

/** The shared secret of an encapsulation. Throws `DECRYPT_FAILED` for a ciphertext of the wrong length. */
export async function decapsulate(op: Operation, input: DecapsulateInput): Promise<DecapsulateResult> {
  checkBytes('ciphertext', input.ciphertext, BOUNDS.kemCiphertextBytes);
  checkVersion('keyVersion', input.keyVersion);
  const used = await useKey(op, OPERATIONS.decapsulate, input.keyId, input.keyVersion ?? null);
  const sharedSecret = await capability(used, 'decapsulate')(input.ciphertext);
  return { sharedSecret, keyId: used.key.keyId, keyVersion: used.version.version };
}
