import { readFileSync } from 'node:fs';

/** One published case: an id that names it in its source, and its values (hex unless the name says otherwise). */
export type Vector = Readonly<Record<string, string | number | boolean>> & { readonly id: string };

/** The published known answers of one standard. */
export interface VectorFile {
  /** The standard that the cases test. */
  readonly standard: string;
  /** The document that published them. */
  readonly source: string;
  readonly licence: string;
  readonly vectors: readonly Vector[];
}

/**
 * Reads one file of published known answers and fails unless it names its source and its licence and holds at least one
 * case: a test that runs over no vector proves nothing.
 *
 * @param name the file in `data`, without `.json`
 * @example
 * for (const vector of loadVectors('hmac-rfc4231').vectors) check(hex(vector, 'key'));
 */
export function loadVectors(name: string): VectorFile {
  return parseVectors(name, readFileSync(new URL(`../data/${name}.json`, import.meta.url), 'utf8'));
}

/** The same for a text that is already read. */
export function parseVectors(name: string, json: string): VectorFile {
  const file: unknown = JSON.parse(json);
  if (!isRecord(file)) throw new TypeError(`${name}: not an object`);
  const { standard, source, licence, vectors } = file;
  if (!isText(standard) || !isText(source) || !isText(licence)) {
    throw new TypeError(`${name}: standard, source and licence are needed`);
  }
  if (!Array.isArray(vectors) || vectors.length === 0) throw new TypeError(`${name}: no vectors`);
  const cases: readonly unknown[] = vectors;
  if (!cases.every(isVector)) throw new TypeError(`${name}: a vector has an id, and texts, numbers or booleans`);
  const ids = new Set(cases.map((vector) => vector.id));
  if (ids.size !== cases.length) throw new TypeError(`${name}: two vectors have the same id`);
  return { standard, source, licence, vectors: cases };
}

/** The bytes of a hex field. Throws when the field is missing or not hex. */
export function hex(vector: Vector, field: string): Buffer {
  const value = text(vector, field);
  const bytes = Buffer.from(value, 'hex');
  if (bytes.length * 2 !== value.length) throw new TypeError(`${vector.id}: ${field} is not hex`);
  return bytes;
}

/** The value of a text field. Throws when it is missing. */
export function text(vector: Vector, field: string): string {
  const value = vector[field];
  if (typeof value !== 'string') throw new TypeError(`${vector.id}: ${field} is missing`);
  return value;
}

function isVector(value: unknown): value is Vector {
  return (
    isRecord(value) &&
    isText(value['id']) &&
    Object.values(value).every((member) => ['string', 'number', 'boolean'].includes(typeof member))
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0;
}
