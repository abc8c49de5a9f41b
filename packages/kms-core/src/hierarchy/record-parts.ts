import type { Field } from '../encoding/length-prefixed.ts';
import { sortedJson } from '../encoding/sorted-json.ts';
import type { RecordFields } from '../model/record-fields.ts';

/** The number of optional fields, then the tag and the value of each. */
export function encodeFields(fields: RecordFields): readonly Field[] {
  const tags = Object.keys(fields).sort();
  return [tags.length, ...tags.flatMap((tag) => [tag, sortedJson(fields[tag])])];
}

/**
 * Milliseconds since 1970. The KMS never writes an earlier instant. An earlier one, or an invalid date, was written by
 * somebody else; it is encoded as text, so that its record is found to be unauthentic instead of failing to be encoded.
 */
export function instant(at: Date | null): Field {
  if (at === null) return null;
  const milliseconds = at.getTime();
  return Number.isSafeInteger(milliseconds) && milliseconds >= 0 ? milliseconds : String(milliseconds);
}
