import { createHash } from 'node:crypto';
import { sortedJson } from '../encoding/sorted-json.ts';
import type { JsonValue } from '../model/metadata.ts';
import type { KnownField, RecordFields } from '../model/record-fields.ts';
import type { AuditFact, AuditFacts } from '../model/audit-event.ts';

/**
 * The optional fields of a record as facts, each by `field:` and its tag. Whether the value of a field may be shown is said
 * where it is defined: of one that this release does not know there is only the SHA-256.
 */
export function fieldFacts(fields: RecordFields, known: readonly KnownField[], of = ''): AuditFacts {
  return Object.fromEntries(
    Object.entries(fields).map(([tag, value]) => {
      const shown = known.find((field) => field.tag === tag)?.evidence === 'value' && isFact(value);
      return [`field:${of}${tag}`, shown ? value : sha256(value)];
    }),
  );
}

function isFact(value: JsonValue): value is Exclude<AuditFact, readonly string[]> | string[] {
  return Array.isArray(value)
    ? value.every((item) => typeof item === 'string')
    : typeof value !== 'object' || value === null;
}

/** The SHA-256 of a value, in hexadecimal. */
export function sha256(value: unknown): string {
  return createHash('sha256').update(sortedJson(value)).digest('hex');
}
