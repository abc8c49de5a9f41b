import { invalidArgument } from '../errors/kms-client-error.ts';

/** Names and values that belong to the data: decrypting requires the same ones. Not secret. */
export type EnvelopeContext = Readonly<Record<string, string>>;

const encoder = new TextEncoder();

/**
 * SHA-256 of a context: of the number of entries, then each name and value with its length before it (four bytes, big-endian), names
 * in the order of their UTF-8 bytes. No context and an empty one are the same.
 */
export async function contextDigest(context: EnvelopeContext = {}): Promise<Uint8Array<ArrayBuffer>> {
  const entries = Object.entries(context).map(([name, value]) => [utf8(name), utf8(value)] as const);
  entries.sort(([a], [b]) => compareBytes(a, b));
  const parts = [uint32(entries.length), ...entries.flat().flatMap((part) => [uint32(part.length), part])];
  return new Uint8Array(await crypto.subtle.digest('SHA-256', concatenate(parts)));
}

/** A lone surrogate has no UTF-8 form, so two different strings would give the same bytes. */
function utf8(text: unknown): Uint8Array<ArrayBuffer> {
  if (typeof text !== 'string' || !text.isWellFormed())
    throw invalidArgument('The context must be an object of strings in well-formed Unicode.');
  return encoder.encode(text);
}

export function concatenate(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const index = a.findIndex((byte, at) => byte !== b[at]);
  if (index === -1) return a.length - b.length;
  return (a[index] ?? 0) - (b[index] ?? -1);
}

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}
