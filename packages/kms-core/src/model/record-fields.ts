import type { JsonValue } from './metadata.ts';

/**
 * What records gained since their first format, by tag. The MAC of the record covers each tag with its value, whether or not
 * this release knows it, so a node keeps what a newer one wrote. A tag that begins with `!` is critical: a release that does
 * not know it must not act on the record at all.
 */
export type RecordFields = Readonly<Record<string, JsonValue>>;

export const NO_FIELDS: RecordFields = {};

/** What a release has to know of a field to keep and record it. */
export interface KnownField {
  /** Never reused for another meaning or another shape of its value. */
  readonly tag: string;
  /** How evidence shows a change: the value itself, which is then text, a number or a list of text, or its SHA-256. */
  readonly evidence: 'value' | 'sha256';
}

/** A field that this release reads and writes. */
export interface RecordField<Value> extends KnownField {
  readonly encode: (value: Value) => JsonValue;
  readonly decode: (stored: JsonValue) => Value;
}

/** The fields that a release knows, by what they are fields of. */
export interface KnownFields {
  readonly key: readonly KnownField[];
  readonly version: readonly KnownField[];
  readonly token: readonly KnownField[];
  readonly tenant: readonly KnownField[];
}

/** The fields that this release knows. `CONTRIBUTING.md` says how to add one. */
export const KNOWN_FIELDS: KnownFields = { key: [], version: [], token: [], tenant: [] };

/** The value of a field; `undefined` where a record does not have it. */
export function fieldOf<Value>(fields: RecordFields, { tag, decode }: RecordField<Value>): Value | undefined {
  const stored = Object.hasOwn(fields, tag) ? fields[tag] : undefined;
  return stored === undefined ? undefined : decode(stored);
}

/** The fields with another value of one of them; `undefined` removes it. All others stay, known or not. */
export function withField<Value>(
  fields: RecordFields,
  { tag, encode }: RecordField<Value>,
  value: Value | undefined,
): RecordFields {
  const { [tag]: _, ...others } = fields;
  return value === undefined ? others : { ...others, [tag]: encode(value) };
}

export function isCritical(tag: string): boolean {
  return tag.startsWith('!');
}
