import type { Caller } from '../access/caller.ts';
import { encodeWrapData } from '../envelope/associated-data.ts';
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
  const used = await useKey(kms, caller, input.keyId, 'wrap');
  const { ciphertext, keyId, keyVersion, algorithm } = await sealWith(
    used,
    input.dataKey,
    encodeWrapData(input.associatedData),
    'wrap',
  );
  return { keyId, keyVersion, wrappedKey: ciphertext, algorithm, provider: used.version.provider };
}
