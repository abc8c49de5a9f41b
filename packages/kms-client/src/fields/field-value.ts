import { invalidArgument, KmsClientError } from '../errors/kms-client-error.ts';

/** A lone surrogate has no UTF-8 form, so two different values would be sealed, and found, as one. */
export function bytesOf(value: string | Uint8Array): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (typeof value !== 'string' || !value.isWellFormed())
    throw invalidArgument('The value of a field is text in well-formed Unicode, or bytes.');
  return new TextEncoder().encode(value);
}

export function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new KmsClientError('ENVELOPE_INVALID', 'The field was not sealed as text.');
  }
}
