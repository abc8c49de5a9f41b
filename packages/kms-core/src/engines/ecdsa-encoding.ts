/** The two encodings of ECDSA signatures: DER (RFC 3279, section 2.2.3), and both numbers at their full length (IEEE P1363). */

const INTEGER = 0x02;
const SEQUENCE = 0x30;
/** From here on a length takes a byte of its own. */
const LONG = 0x80;

/** @param signature `r ‖ s`, as long as each other */
export function derFromP1363(signature: Uint8Array): Buffer {
  const half = signature.length / 2;
  return element(SEQUENCE, Buffer.concat([integer(signature.subarray(0, half)), integer(signature.subarray(half))]));
}

/**
 * @param der as OpenSSL wrote it
 * @param bytes how long each number is
 */
export function p1363FromDer(der: Uint8Array, bytes: number): Buffer {
  const raw = Buffer.alloc(2 * bytes);
  let at = (der[1] ?? 0) >= LONG ? 3 : 2;
  for (const end of [bytes, 2 * bytes]) {
    const length = der[at + 1] ?? 0;
    const number = der.subarray(at + 2, at + 2 + length);
    const digits = number[0] === 0 ? number.subarray(1) : number;
    raw.set(digits, end - digits.length);
    at += 2 + length;
  }
  return raw;
}

function integer(digits: Uint8Array): Buffer {
  const first = digits.findIndex((byte) => byte !== 0);
  const short = first === -1 ? digits.subarray(-1) : digits.subarray(first);
  return element(INTEGER, (short[0] ?? 0) >= LONG ? Buffer.concat([Buffer.of(0), short]) : short);
}

function element(tag: number, content: Uint8Array): Buffer {
  const { length } = content;
  return Buffer.concat([length >= LONG ? Buffer.of(tag, 0x81, length) : Buffer.of(tag, length), content]);
}
