import { derLength } from './der-length.ts';

/** DER of an ECDSA signature `r ‖ s` (SEC 1, appendix C.8): SEQUENCE { INTEGER r, INTEGER s }. */
export function ecdsaDer(signature: Uint8Array): Buffer {
  const half = signature.length / 2;
  const content = Buffer.concat([integer(signature.subarray(0, half)), integer(signature.subarray(half))]);
  return Buffer.concat([Buffer.of(0x30), derLength(content.length), content]);
}

/** The shortest form of an unsigned number, with a zero in front where its first bit would be taken for a sign. */
function integer(bytes: Uint8Array): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start += 1;
  const digits = bytes.subarray(start);
  const sign = (digits[0] ?? 0) >= 0x80 ? Buffer.of(0) : Buffer.alloc(0);
  return Buffer.concat([Buffer.of(0x02), derLength(digits.length + sign.length), sign, digits]);
}
