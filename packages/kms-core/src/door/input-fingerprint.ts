import { createHash } from 'node:crypto';
import { asJson } from '../encoding/as-json.ts';
import { lengthPrefixed } from '../encoding/length-prefixed.ts';
import { sortedJson } from '../encoding/sorted-json.ts';

/** SHA-256 over the caller, the operation and its input: what must be the same for a call that is repeated. */
export function inputFingerprint(subject: string, operation: string, input: readonly unknown[]): Uint8Array {
  return createHash('sha256')
    .update(lengthPrefixed([subject, operation, sortedJson(asJson(input))]))
    .digest();
}
