import { z } from 'zod';
import { LIMITS } from '../bounds/limits.ts';
import { onTheWire } from './wire-schema.ts';

/** How many items a page of a list has: any whole number, clamped to what the service returns at once. */
export const pageLimit = onTheWire(
  z.codec(z.string().regex(/^-?\d+$/, 'must be a whole number'), z.int(), {
    decode: (text) => Math.min(Math.max(Number(text), 1), LIMITS.pageItems.maximum),
    encode: String,
  }),
  {
    type: 'integer',
    default: LIMITS.pageItems.default,
    description: `The maximum number of items, from 1 to ${LIMITS.pageItems.maximum}; a number outside that range counts as the nearer bound.`,
  },
);

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
