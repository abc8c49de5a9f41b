import type { Caller } from '../access/caller.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { boundedWrapData } from '../bounds/bounded-data.ts';
import { checkBytes } from '../bounds/check-values.ts';
import { andThen, type MaybePromise } from '../engines/engine.ts';
import type { KeyId } from '../model/identifiers.ts';
import type { Kms } from './kms.ts';
import { openEnvelope } from './open-envelope.ts';

export interface UnwrapInput {
  readonly wrappedKey: Uint8Array;
  readonly associatedData?: Uint8Array;
  /** The key that it must be under; default: the one that the wrapped key names. */
  readonly keyId?: KeyId;
}

export interface UnwrapResult {
  readonly dataKey: Uint8Array;
  readonly keyId: KeyId;
  readonly keyVersion: number;
}

/** Opens a wrapped key under whichever version wrapped it. Throws `DECRYPT_FAILED` for anything else. */
export async function unwrap(kms: Kms, caller: Caller, input: UnwrapInput): Promise<UnwrapResult> {
  return unwrapNow(kms, caller, input);
}

/** As `unwrap`, but answers, or throws, at once when there is nothing to wait for: the key is held in memory. */
export function unwrapNow(kms: Kms, caller: Caller, input: UnwrapInput): MaybePromise<UnwrapResult> {
  checkBytes('wrappedKey', input.wrappedKey, BOUNDS.ciphertextBytes);
  const associatedData = boundedWrapData(input.associatedData);
  return andThen(
    openEnvelope(kms, caller, input.keyId ?? null, 'unwrap', input.wrappedKey, associatedData),
    ({ plaintext, used }) => ({ dataKey: plaintext, keyId: used.key.keyId, keyVersion: used.version.version }),
  );
}
