import { z } from 'zod';

// C0 and C1 controls, and the line separators that some log readers treat as the end of a line.
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/** One line of text: well-formed Unicode without control characters, with surrounding white space removed. */
export function line(maximum: number, minimum = 1) {
  return z
    .string()
    .trim()
    .min(minimum)
    .max(maximum)
    .refine((text) => text.isWellFormed() && !CONTROL.test(text), 'must be text without control characters');
}

/** The same, or nothing but white space, which becomes the empty text. */
export function optionalLine(maximum: number) {
  return line(maximum, 0);
}

/** An opaque token of URL-safe characters. */
export function urlSafe(maximum: number) {
  return z
    .string()
    .max(maximum)
    .regex(/^[\w.~-]+$/, 'must be URL-safe characters');
}
