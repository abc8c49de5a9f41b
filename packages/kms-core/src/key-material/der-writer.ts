import { TAG } from './der-reader.ts';

/** An element in DER. */
export function derElement(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const length = contents.reduce((sum, content) => sum + content.length, 0);
  return Buffer.concat([Buffer.of(tag, ...lengthOctets(length)), ...contents]);
}

export function derSequence(...elements: readonly Uint8Array[]): Buffer {
  return derElement(TAG.sequence, ...elements);
}

/** A non-negative integer. */
export function derInteger(value: bigint): Buffer {
  const digits = value.toString(16);
  const magnitude = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex');
  return (magnitude[0] ?? 0) < 0x80
    ? derElement(TAG.integer, magnitude)
    : derElement(TAG.integer, Buffer.of(0), magnitude);
}

/** An object identifier from the hexadecimal of its content. */
export function derIdentifier(oid: string): Buffer {
  return derElement(TAG.objectIdentifier, Buffer.from(oid, 'hex'));
}

function lengthOctets(length: number): readonly number[] {
  if (length < 0x80) return [length];
  if (length < 0x100) return [0x81, length];
  return length < 0x10000
    ? [0x82, length >> 8, length & 0xff]
    : [0x83, length >> 16, (length >> 8) & 0xff, length & 0xff];
}
