import { BOUNDS } from '../bounds/bounds.ts';
import { boundedWrapData } from '../bounds/bounded-data.ts';
import { checkBytes } from '../bounds/check-values.ts';
import { andThen, type MaybePromise } from '../base/maybe-promise.ts';
import type { KeyId } from '../model/identifiers.ts';
import { OPERATIONS } from './catalog.ts';
import { openEnvelope } from './open-envelope.ts';
import type { Operation } from './operation.ts';

/** What is unwrapped. */
export interface UnwrapInput {
  readonly wrappedKey: Uint8Array;
  readonly associatedData?: Uint8Array;
  /** The key that it must be under; default: the one that the wrapped key names. */
  readonly keyId?: KeyId;
}

/** An unwrapped key. The caller wipes it. */
export interface UnwrapResult {
  readonly dataKey: Uint8Array;
  readonly keyId: KeyId;
  readonly keyVersion: number;
}

/** Opens a wrapped key under whichever version wrapped it. Throws `DECRYPT_FAILED` for anything else. */
export function unwrap(op: Operation, input: UnwrapInput): MaybePromise<UnwrapResult> {
  checkBytes('wrappedKey', input.wrappedKey, BOUNDS.ciphertextBytes);
  const associatedData = boundedWrapData(input.associatedData);
  return andThen(
    openEnvelope(op, OPERATIONS.unwrap, { keyId: input.keyId ?? null, ciphertext: input.wrappedKey, associatedData }),
    ({ plaintext, used }) => ({ dataKey: plaintext, keyId: used.key.keyId, keyVersion: used.version.version }),
  );
}
