import { type EncryptionContext, encodeContext, encodeWrapData, NO_CONTEXT } from '../envelope/associated-data.ts';
import { BOUNDS } from './bounds.ts';
import { checkStringMap } from './check-string-map.ts';
import { checkBytes } from './check-values.ts';

/** The bytes of an encryption context that is within its bounds. Throws `BAD_REQUEST`. */
export function boundedContext(context: EncryptionContext | undefined, path = 'context'): Buffer {
  if (context === undefined) return NO_CONTEXT;
  checkStringMap(path, context, BOUNDS.context);
  return encodeContext(context);
}

/** The bytes of the associated data of a wrapped key, within their bounds. Throws `BAD_REQUEST`. */
export function boundedWrapData(associatedData: Uint8Array | undefined): Buffer {
  if (associatedData !== undefined) checkBytes('associatedData', associatedData, BOUNDS.associatedDataBytes);
  return encodeWrapData(associatedData);
}
