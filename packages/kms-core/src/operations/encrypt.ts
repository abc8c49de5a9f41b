import { BOUNDS } from '../bounds/bounds.ts';
import { boundedContext } from '../bounds/bounded-data.ts';
import { checkBytes } from '../bounds/check-values.ts';
import type { EncryptionContext } from '../envelope/associated-data.ts';
import type { MaybePromise } from '../base/maybe-promise.ts';
import { badRequest } from '../errors/kms-error.ts';
import type { CryptoOperation } from '../algorithms/crypto-operation.ts';
import type { KeyId } from '../model/identifiers.ts';
import { OPERATIONS } from './catalog.ts';
import type { Operation } from './operation.ts';
import { type UsableVersion, useKey } from './use-key.ts';

/** The largest plaintext in bytes; what is larger is encrypted by the client under a data key. */
export const MAX_PLAINTEXT_BYTES = BOUNDS.plaintextBytes;

/** What is encrypted, under which key. */
export interface EncryptInput {
  readonly keyId: KeyId;
  /** At most 65,536 bytes. */
  readonly plaintext: Uint8Array;
  /** Authenticated with the ciphertext; decrypt needs the same. */
  readonly context?: EncryptionContext;
}

/** A ciphertext, and which version of which key made it. */
export interface EncryptResult {
  /** The envelope: names its key and version itself. */
  readonly ciphertext: Uint8Array;
  readonly keyId: KeyId;
  readonly keyVersion: number;
  readonly algorithm: string;
}

/** Encrypts under the current version of a key. Answers without a promise when the key is held in memory and its engine needs none. */
export function encrypt(op: Operation, input: EncryptInput): MaybePromise<EncryptResult> {
  checkBytes('plaintext', input.plaintext, BOUNDS.plaintextBytes);
  const context = boundedContext(input.context);
  const used = useKey(op, OPERATIONS.encrypt, input.keyId);
  return used instanceof Promise
    ? used.then((late) => sealWith(late, input.plaintext, context, 'encrypt'))
    : sealWith(used, input.plaintext, context, 'encrypt');
}

/** Seals a plaintext with a version that is ready. */
export function sealWith(
  used: UsableVersion,
  plaintext: Uint8Array,
  associatedData: Uint8Array,
  operation: CryptoOperation,
): MaybePromise<EncryptResult> {
  const { header, engine } = used;
  const algorithm = used.algorithm.id;
  if (header === undefined || engine.seal === undefined)
    throw badRequest('keyId', `a key with the algorithm ${algorithm} cannot ${operation}`);
  const { keyId } = used.key;
  const { version } = used.version;
  const sealed = engine.seal(header, associatedData, plaintext);
  return sealed instanceof Promise
    ? sealed.then((ciphertext) => ({ ciphertext, keyId, keyVersion: version, algorithm }))
    : { ciphertext: sealed, keyId, keyVersion: version, algorithm };
}
