import type { Caller } from '../access/caller.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { boundedWrapData } from '../bounds/bounded-data.ts';
import { checkBytes } from '../bounds/check-values.ts';
import { andThen, type MaybePromise } from '../engines/engine.ts';
import type { KeyId } from '../model/identifiers.ts';
import { sealWith } from './encrypt.ts';
import type { Kms } from './kms.ts';
import { useKey } from './use-key.ts';

export interface WrapInput {
  readonly keyId: KeyId;
  /** The key to wrap, 1 to 65,536 bytes. */
  readonly dataKey: Uint8Array;
  readonly associatedData?: Uint8Array;
}

export interface WrapResult {
  readonly keyId: KeyId;
  readonly keyVersion: number;
  readonly wrappedKey: Uint8Array;
  readonly algorithm: string;
  /** The provider whose root or hardware protects the wrapping key. */
  readonly provider: string;
}

/** Wraps a key of the caller's under the current version of a key. */
export async function wrap(kms: Kms, caller: Caller, input: WrapInput): Promise<WrapResult> {
  return wrapNow(kms, caller, input);
}

/** As `wrap`, but answers, or throws, at once when there is nothing to wait for: the key is held in memory. */
export function wrapNow(kms: Kms, caller: Caller, input: WrapInput): MaybePromise<WrapResult> {
  checkBytes('dataKey', input.dataKey, BOUNDS.plaintextBytes, 1);
  const associatedData = boundedWrapData(input.associatedData);
  return andThen(useKey(kms, caller, input.keyId, 'wrap'), (used) =>
    andThen(sealWith(used, input.dataKey, associatedData, 'wrap'), ({ ciphertext, ...named }) => ({
      ...named,
      wrappedKey: ciphertext,
      provider: used.version.provider,
    })),
  );
}
