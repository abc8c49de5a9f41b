/** A field of a length-prefixed encoding. Numbers are unsigned and at most 2^53 - 1. */
export type Field = string | Uint8Array | number | boolean | null;

const NULL_LENGTH = 0xffffffff;

/**
 * Encodes fields so that two different lists never give the same bytes: each field is its length as four
 * big-endian bytes followed by its bytes; strings are UTF-8, numbers eight big-endian bytes, booleans one byte,
 * and `null` is the length 2^32 - 1 with no bytes.
 *
 * Used for every AAD and every MAC input, so that no field can borrow bytes from its neighbour.
 *
 * @example
 * lengthPrefixed(['label', tenantId, 3]);
 */
export function lengthPrefixed(fields: readonly Field[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const field of fields) {
    const length = Buffer.allocUnsafe(4);
    if (field === null) {
      length.writeUInt32BE(NULL_LENGTH);
      parts.push(length);
      continue;
    }
    const bytes = fieldBytes(field);
    length.writeUInt32BE(bytes.length);
    parts.push(length, bytes);
  }
  return Buffer.concat(parts);
}

function fieldBytes(field: string | Uint8Array | number | boolean): Uint8Array {
  if (typeof field === 'string') return Buffer.from(field, 'utf8');
  if (typeof field === 'boolean') return Buffer.of(field ? 1 : 0);
  if (typeof field === 'number') {
    if (!Number.isSafeInteger(field) || field < 0) {
      throw new RangeError('a number in a length-prefixed encoding is an unsigned safe integer');
    }
    const bytes = Buffer.allocUnsafe(8);
    bytes.writeBigUInt64BE(BigInt(field));
    return bytes;
  }
  return field;
}
