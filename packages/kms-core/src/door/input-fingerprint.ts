import { createHash } from 'node:crypto';
import { asBuffer } from '../encoding/as-buffer.ts';
import { lengthPrefixed } from '../encoding/length-prefixed.ts';
import { sortedJson } from '../encoding/sorted-json.ts';

/** SHA-256 over the caller, the operation and its input: what must be the same for a call that is repeated. */
export function inputFingerprint(subject: string, operation: string, input: readonly unknown[]): Uint8Array {
  return createHash('sha256')
    .update(lengthPrefixed([subject, operation, sortedJson(asJson(input))]))
    .digest();
}

/** The same value in JSON, bytes and dates included. */
function asJson(value: unknown): unknown {
  if (value instanceof Uint8Array) return { bytes: asBuffer(value).toString('base64') };
  if (value instanceof Date) return { date: value.getTime() };
  if (Array.isArray(value)) return value.map(asJson);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, asJson(member)]));
}
