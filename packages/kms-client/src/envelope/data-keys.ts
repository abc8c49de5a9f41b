import type { CallOptions } from '../base/call-options.ts';
import type { KmsOperations } from '../generated/types.ts';
import { KmsClientError } from '../errors/kms-client-error.ts';
import { concatenate } from './context-digest.ts';

/** A data key for new data. */
export interface SealingKey {
  /** For HKDF, with the usage `deriveBits`, not extractable. */
  readonly dataKey: CryptoKey;
  readonly wrappedKey: Uint8Array;
  /** The key of the service that wraps it. */
  readonly keyId: string;
  /** Reports that this many more bytes were encrypted under it. */
  used(bytes: number): void;
}

/** What the caller of an envelope may say about the call for a data key. */
export type DataKeyCallOptions = Pick<CallOptions, 'signal'>;

/** Where data keys come from. */
export interface DataKeySource {
  forSealing(keyId: string, contextDigest: Uint8Array, options: DataKeyCallOptions): Promise<SealingKey>;
  forOpening(
    keyId: string,
    contextDigest: Uint8Array,
    wrappedKey: Uint8Array,
    options: DataKeyCallOptions,
  ): Promise<CryptoKey>;
}

/** What envelope encryption needs from a client; any object with these two operations will do. */
export type DataKeyService = Pick<KmsOperations, 'createDataKey' | 'unwrap'>;

const DATA_KEY_BYTES = 32;
/** Separates data keys of this format from those of others, which could otherwise open each other's data. */
const LABEL = new TextEncoder().encode('qnsp-kms/envelope/v1');

/** Data keys that the service makes and opens, one call for each. */
export function serviceDataKeys(kms: DataKeyService): DataKeySource {
  return {
    async forSealing(keyId, contextDigest, options) {
      const associatedData = concatenate([LABEL, contextDigest]);
      const made = await kms.createDataKey({ keyId, bytes: DATA_KEY_BYTES, associatedData }, options);
      const dataKey = await importDataKey(made.dataKey);
      return { dataKey, wrappedKey: made.wrappedKey, keyId: made.keyId, used: () => undefined };
    },
    async forOpening(keyId, contextDigest, wrappedKey, options) {
      const associatedData = concatenate([LABEL, contextDigest]);
      const opened = await kms.unwrap({ keyId, wrappedKey, associatedData }, options);
      return importDataKey(opened.dataKey);
    },
  };
}

/** Takes the key over as a handle and wipes the bytes. */
async function importDataKey(bytes: Uint8Array | undefined): Promise<CryptoKey> {
  if (bytes?.length !== DATA_KEY_BYTES)
    throw new KmsClientError('UNEXPECTED_ANSWER', `The data key of the service does not have ${DATA_KEY_BYTES} bytes.`);
  const copy = Uint8Array.from(bytes);
  try {
    return await crypto.subtle.importKey('raw', copy, 'HKDF', false, ['deriveBits']);
  } finally {
    copy.fill(0);
    bytes.fill(0);
  }
}
