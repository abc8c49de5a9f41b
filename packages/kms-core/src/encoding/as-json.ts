import { asBuffer } from './as-buffer.ts';

/** The same value in JSON, bytes as `{ bytes }` in base64 and dates as `{ date }` in milliseconds; a member that is `undefined` is left out. */
export function asJson(value: unknown): unknown {
  if (value instanceof Uint8Array) return { bytes: asBuffer(value).toString('base64') };
  if (value instanceof Date) return { date: value.getTime() };
  if (Array.isArray(value)) return value.map(asJson);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, member]) => (member === undefined ? [] : [[name, asJson(member)]])),
  );
}
