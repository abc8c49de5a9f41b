import { z } from 'zod';
import { withFastPath } from './fast-path.ts';
import { onTheWire } from './wire-schema.ts';

export interface BytesBounds {
  readonly minimum?: number;
  readonly maximum: number;
  /** What to tell a caller who sends more; the call then fails with `PAYLOAD_TOO_LARGE`, not with `BAD_REQUEST`. */
  readonly tooLarge?: string;
}

/** Marks an issue of zod that stands for `PAYLOAD_TOO_LARGE`. */
export const TOO_LARGE = { payloadTooLarge: true } as const;

/**
 * Binary data: padded standard base64 (RFC 4648, section 4) in JSON, bytes inside. Refuses base64url, missing or
 * superfluous padding, white space, other characters and non-zero bits after the last byte (section 3.5), so that every
 * value has exactly one spelling.
 *
 * For example:
 * bytes({ maximum: 64 }).parse('aGVsbG8='); // the bytes of "hello"
 */
export function bytes(bounds: BytesBounds) {
  const { minimum = 0, maximum } = bounds;
  const limits = { ...(minimum === 0 ? {} : { minLength: base64Length(minimum) }), maxLength: base64Length(maximum) };
  const schema = withFastPath(codecOf(bounds), {
    decode: (text) => {
      if (typeof text !== 'string' || text.length > limits.maxLength) return undefined;
      const decoded = fromBase64(text);
      return decoded !== undefined && decoded.length >= minimum && decoded.length <= maximum ? decoded : undefined;
    },
  });
  return onTheWire(schema, { type: 'string', contentEncoding: 'base64', ...limits });
}

function codecOf({ minimum = 0, maximum, tooLarge }: BytesBounds) {
  return z.codec(
    z.string(),
    z.custom<Uint8Array>((value) => value instanceof Uint8Array),
    {
      decode: (text, { issues }) => {
        if (text.length > base64Length(maximum)) return refuse(issues, tooMany(maximum, tooLarge), tooLarge);
        const decoded = fromBase64(text);
        if (decoded === undefined) return refuse(issues, 'must be padded standard base64 (RFC 4648, section 4)');
        if (decoded.length > maximum) return refuse(issues, tooMany(maximum, tooLarge), tooLarge);
        if (decoded.length < minimum) return refuse(issues, `must be at least ${minimum} bytes`);
        return decoded;
      },
      encode: toBase64,
    },
  );
}

/** Bytes of an answer: as long as they are. */
export const answeredBytes = withFastPath(
  onTheWire(codecOf({ maximum: Number.MAX_SAFE_INTEGER }), { type: 'string', contentEncoding: 'base64' }),
  { encode: (data) => (data instanceof Uint8Array ? toBase64(data) : undefined) },
);

/** The bytes that a strictly spelt base64 text stands for, `undefined` for any other text. */
export function fromBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0) return undefined;
  // Buffer ignores what is not base64, so only a text that comes back unchanged was valid.
  const decoded = Buffer.from(text, 'base64');
  return decoded.toString('base64') === text ? decoded : undefined;
}

/** Bytes as base64 with padding (RFC 4648, section 4). */
export function toBase64(data: Uint8Array): string {
  const buffer = Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return buffer.toString('base64');
}

function base64Length(byteLength: number): number {
  return Math.ceil(byteLength / 3) * 4;
}

function tooMany(maximum: number, tooLarge: string | undefined): string {
  return tooLarge ?? `must be at most ${maximum} bytes`;
}

function refuse(issues: z.core.$ZodRawIssue[], message: string, tooLarge?: string): never {
  issues.push({ code: 'custom', message, input: undefined, ...(tooLarge === undefined ? {} : { params: TOO_LARGE }) });
  return z.NEVER;
}
