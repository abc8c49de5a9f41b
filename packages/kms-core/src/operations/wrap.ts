import { BOUNDS } from '../bounds/bounds.ts';
import { boundedWrapData } from '../bounds/bounded-data.ts';
import { checkBytes } from '../bounds/check-values.ts';
import { andThen, type MaybePromise } from '../base/maybe-promise.ts';
import type { KeyId } from '../model/identifiers.ts';
import { OPERATIONS } from './catalog.ts';
import { sealWith } from './encrypt.ts';
import type { Operation } from './operation.ts';
import { useKey } from './use-key.ts';

/** The key that is wrapped, and the key that wraps it. */
export interface WrapInput {
  readonly keyId: KeyId;
  /** The key to wrap, 1 to 65,536 bytes. */
  readonly dataKey: Uint8Array;
  readonly associatedData?: Uint8Array;
}

/** A wrapped key, and which version of which key wrapped it. */
export interface WrapResult {
  readonly keyId: KeyId;
  readonly keyVersion: number;
  readonly wrappedKey: Uint8Array;
  readonly algorithm: string;
  /** The provider whose root or hardware protects the wrapping key. */
  readonly provider: string;
}

/** Wraps a key of the caller's under the current version of a key. Answers without a promise when the key is held in memory and its engine needs none. */
export function wrap(op: Operation, input: WrapInput): MaybePromise<WrapResult> {
  checkBytes('dataKey', input.dataKey, BOUNDS.plaintextBytes, 1);
  const associatedData = boundedWrapData(input.associatedData);
  return andThen(useKey(op, OPERATIONS.wrap, input.keyId), (used) =>
    andThen(sealWith(used, input.dataKey, associatedData, 'wrap'), ({ ciphertext, ...named }) => ({
      ...named,
      wrappedKey: ciphertext,
      provider: used.version.provider,
    })),
  );
}
