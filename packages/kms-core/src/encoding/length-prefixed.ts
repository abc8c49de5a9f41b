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
  const encoded = encode(fields, true) ?? encode(fields, false);
  if (encoded === undefined) throw new RangeError('a string is written in as many bytes as it has');
  return encoded;
}

/** Up to this length a string is written faster character by character. */
const SHORT = 48;

/** @param asciiOnly whether short strings are taken for ASCII, which nearly all are; `undefined` where one is not */
function encode(fields: readonly Field[], asciiOnly: boolean): Buffer | undefined {
  let length = 0;
  for (const field of fields) length += LENGTH_BYTES + bytesOf(field, asciiOnly);
  const encoded = Buffer.allocUnsafe(length);
  let at = 0;
  for (const field of fields) {
    const bytes = bytesOf(field, asciiOnly);
    write32(encoded, field === null ? NULL_LENGTH : bytes, at);
    at += LENGTH_BYTES;
    if (field !== null && !writeField(encoded, field, at, asciiOnly)) return undefined;
    at += bytes;
  }
  return encoded;
}

/** How many bytes a field takes after its length. */
function bytesOf(field: Field, asciiOnly: boolean): number {
  if (field === null) return 0;
  if (typeof field === 'string')
    return asciiOnly && field.length <= SHORT ? field.length : Buffer.byteLength(field, 'utf8');
  if (typeof field === 'boolean') return 1;
  if (typeof field === 'number') return NUMBER_BYTES;
  return field.length;
}

/** Whether it could be written as it was measured. */
function writeField(encoded: Buffer, field: Exclude<Field, null>, at: number, asciiOnly: boolean): boolean {
  if (typeof field === 'string') {
    if (asciiOnly && field.length <= SHORT) return writeAscii(encoded, field, at);
    encoded.write(field, at, 'utf8');
  } else if (typeof field === 'boolean') encoded[at] = Number(field);
  else if (typeof field === 'number') {
    if (!Number.isSafeInteger(field) || field < 0)
      throw new RangeError('a number in a length-prefixed encoding is an unsigned safe integer');
    write32(encoded, Math.floor(field / 2 ** 32), at);
    write32(encoded, field % 2 ** 32, at + LENGTH_BYTES);
  } else encoded.set(field, at);
  return true;
}

function writeAscii(encoded: Buffer, text: string, at: number): boolean {
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit > 0x7f) return false;
    encoded[at + index] = unit;
  }
  return true;
}

/** Each element of a `Buffer` keeps the lowest eight bits of what it is set to. */
function write32(encoded: Buffer, value: number, at: number): void {
  encoded[at] = value >>> 24;
  encoded[at + 1] = value >>> 16;
  encoded[at + 2] = value >>> 8;
  encoded[at + 3] = value;
}
