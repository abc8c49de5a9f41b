import type { Quirks } from '../protocol/quirks.ts';
import { derLength } from './der-length.ts';

/**
 * The point in CKA_EC_POINT, which is in an OCTET STRING unless a token leaves that away.
 *
 * @param size how many bytes the point has
 * @returns `undefined` for anything else
 */
export function pointIn(value: Uint8Array, size: number, { bareEcPoint }: Quirks): Uint8Array | undefined {
  if (bareEcPoint && value.length === size) return value;
  const head = Buffer.concat([Buffer.of(0x04), derLength(size)]);
  return value.length === head.length + size && head.equals(value.subarray(0, head.length))
    ? value.subarray(head.length)
    : undefined;
}
