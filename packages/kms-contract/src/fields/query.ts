import { z } from 'zod';
import { onTheWire } from './wire-schema.ts';

/** A whole number in a query: decimal digits in the address, a number inside. */
export function queryInteger(minimum: number, maximum: number, defaultValue?: number) {
  const codec = z.codec(z.string().regex(/^\d{1,15}$/, 'must be a whole number'), z.int().min(minimum).max(maximum), {
    decode: Number,
    encode: String,
  });
  return onTheWire(codec, {
    type: 'integer',
    minimum,
    maximum,
    ...(defaultValue === undefined ? {} : { default: defaultValue }),
  });
}
