import { checkSignatureInput } from '../bounds/check-signature-input.ts';
import { checkVersion } from '../bounds/check-values.ts';
import type { SignatureOptions } from '../engines/engine.ts';
import { andThen, type MaybePromise } from '../base/maybe-promise.ts';
import type { KeyId } from '../model/identifiers.ts';
import { OPERATIONS } from './catalog.ts';
import type { Operation } from './operation.ts';
import { capability, useKey } from './use-key.ts';

/** What is signed, with which key. */
export interface SignInput {
  readonly keyId: KeyId;
  /** The message itself, which is hashed here; with `messageType: 'digest'` its digest. */
  readonly data: Uint8Array;
  readonly options?: SignatureOptions;
  /** Refuses to sign with any other version: one that was superseded meanwhile signs nothing more. Default: the current one. */
  readonly keyVersion?: number;
}

/** A signature, and which version of which key made it. */
export interface SignResult {
  readonly signature: Uint8Array;
  readonly keyId: KeyId;
  readonly keyVersion: number;
  readonly algorithm: string;
}

/** Signs with the current version of a key. Answers without a promise when the key is held in memory and its engine needs none. */
export function sign(op: Operation, input: SignInput): MaybePromise<SignResult> {
  checkSignatureInput(input.data, input.options);
  checkVersion('keyVersion', input.keyVersion);
  return andThen(useKey(op, OPERATIONS.sign, input.keyId, input.keyVersion ?? null), (used) =>
    andThen(capability(used, 'sign')(input.data, input.options ?? {}), (signature) => ({
      signature,
      keyId: used.key.keyId,
      keyVersion: used.version.version,
      algorithm: used.algorithm.id,
    })),
  );
}
