import type { Caller } from '../access/caller.ts';
import { checkSignatureInput } from '../bounds/check-signature-input.ts';
import { andThen, type MaybePromise, type SignatureOptions } from '../engines/engine.ts';
import type { KeyId } from '../model/identifiers.ts';
import type { Kms } from './kms.ts';
import { capability, useKey } from './use-key.ts';

export interface SignInput {
  readonly keyId: KeyId;
  /** The message itself; it is hashed here. */
  readonly data: Uint8Array;
  readonly options?: SignatureOptions;
}

export interface SignResult {
  readonly signature: Uint8Array;
  readonly keyId: KeyId;
  readonly keyVersion: number;
  readonly algorithm: string;
}

/** Signs with the current version of a key. */
export async function sign(kms: Kms, caller: Caller, input: SignInput): Promise<SignResult> {
  return signNow(kms, caller, input);
}

/** As `sign`, but answers, or throws, at once when there is nothing to wait for: the key is held in memory. */
export function signNow(kms: Kms, caller: Caller, input: SignInput): MaybePromise<SignResult> {
  checkSignatureInput(input.data, input.options);
  return andThen(useKey(kms, caller, input.keyId, 'sign'), (used) =>
    andThen(capability(used, 'sign')(input.data, input.options ?? {}), (signature) => ({
      signature,
      keyId: used.key.keyId,
      keyVersion: used.version.version,
      algorithm: used.algorithm.id,
    })),
  );
}
