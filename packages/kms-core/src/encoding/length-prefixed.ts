/** A field of a length-prefixed encoding. Numbers are unsigned and at most 2^53 - 1. */
export type Field = string | Uint8Array | number | boolean | null;

const NULL_LENGTH = 0xffffffff;
const LENGTH_BYTES = 4;
const NUMBER_BYTES = 8;

/**
 * Encodes fields so that two different lists never give the same bytes: each field is its length as four
 * big-endian bytes followed by its bytes; strings are UTF-8, numbers eight big-endian bytes, booleans one byte,
 * and `null` is the length 2^32 - 1 with no bytes.
 *
 * Used for every AAD and every MAC input, so that no field can borrow bytes from its neighbour.
 *
 * For example:
 * lengthPrefixed(['label', tenantId, 3]);
 */
export function lengthPrefixed(fields: readonly Field[]): Buffer {
  let length = 0;
  for (const field of fields) length += LENGTH_BYTES + bytesOf(field);
  const encoded = Buffer.allocUnsafe(length);
  let at = 0;
  for (const field of fields) {
    const bytes = bytesOf(field);
    encoded.writeUInt32BE(field === null ? NULL_LENGTH : bytes, at);
    at += LENGTH_BYTES;
    if (field !== null) writeField(encoded, field, at);
    at += bytes;
  }
  return encoded;
}

/** How many bytes a field takes after its length. */
function bytesOf(field: Field): number {
  if (field === null) return 0;
  if (typeof field === 'string') return Buffer.byteLength(field, 'utf8');
  if (typeof field === 'boolean') return 1;
  if (typeof field === 'number') return NUMBER_BYTES;
  return field.length;
}

function writeField(encoded: Buffer, field: Exclude<Field, null>, at: number): void {
  if (typeof field === 'string') encoded.write(field, at, 'utf8');
  else if (typeof field === 'boolean') encoded[at] = Number(field);
  else if (typeof field === 'number') {
    if (!Number.isSafeInteger(field) || field < 0)
      throw new RangeError('a number in a length-prefixed encoding is an unsigned safe integer');
    encoded.writeUInt32BE(Math.floor(field / 2 ** 32), at);
    encoded.writeUInt32BE(field % 2 ** 32, at + 4);
  } else encoded.set(field, at);
}
