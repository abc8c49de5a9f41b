import { BOUNDS } from '../bounds/bounds.ts';
import { boundedContext, boundedWrapData } from '../bounds/bounded-data.ts';
import { checkBoolean, checkInteger } from '../bounds/check-values.ts';
import type { EncryptionContext } from '../envelope/associated-data.ts';
import { badRequest } from '../errors/kms-error.ts';
import type { KeyId } from '../model/identifiers.ts';
import { OPERATIONS } from './catalog.ts';
import { sealWith } from './encrypt.ts';
import type { Operation } from './operation.ts';
import { useKey } from './use-key.ts';
import type { WrapResult } from './wrap.ts';

/** The key that wraps a new data key, and how long that is to be. */
export interface CreateDataKeyInput {
  readonly keyId: KeyId;
  /** The length of the data key, 16 to 64; default: 32. */
  readonly bytes?: number;
  readonly associatedData?: Uint8Array;
  /** In place of `associatedData`, and be it empty: the data key is then opened by `decrypt` with the same context, and not by `unwrap`. */
  readonly context?: EncryptionContext;
  /** Whether the answer holds the data key itself beside the wrapped one; it does without this. */
  readonly withPlaintext?: boolean;
}

/** A new data key, in plaintext and wrapped. */
export interface CreateDataKeyResult extends WrapResult {
  readonly dataKey?: Uint8Array;
}

/** Makes a fresh data key and wraps it; `unwrap` opens it, or `decrypt` if it has a context. */
export async function createDataKey(op: Operation, input: CreateDataKeyInput): Promise<CreateDataKeyResult> {
  const { bytes = 32 } = input;
  checkInteger('bytes', bytes, BOUNDS.dataKeyBytes.minimum, BOUNDS.dataKeyBytes.maximum);
  if (input.withPlaintext !== undefined) checkBoolean('withPlaintext', input.withPlaintext);
  const associatedData = boundData(input);
  const used = await useKey(op, OPERATIONS.createDataKey, input.keyId);
  const dataKey = await op.kms.random(bytes);
  const { ciphertext, keyId, keyVersion, algorithm } = await sealWith(used, dataKey, associatedData, 'data-key');
  const result = { keyId, keyVersion, wrappedKey: ciphertext, algorithm, provider: used.version.provider };
  if (input.withPlaintext ?? true) return { ...result, dataKey };
  dataKey.fill(0);
  return result;
}

function boundData({ associatedData, context }: CreateDataKeyInput): Buffer {
  if (context === undefined) return boundedWrapData(associatedData);
  if (associatedData !== undefined) throw badRequest('context', 'is in place of associatedData: send one of them');
  return boundedContext(context);
}
