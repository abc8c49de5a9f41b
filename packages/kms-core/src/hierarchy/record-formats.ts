import { KmsError } from '../errors/kms-error.ts';
import type { RecordMac } from '../model/key.ts';
import {
  isCritical,
  KNOWN_FIELDS,
  type KnownField,
  type KnownFields,
  type RecordFields,
} from '../model/record-fields.ts';

/**
 * Which bytes of a record its MAC covers. Format 1 is a fixed list of fields; format 2 is under a label of its own, has the
 * same list, and then any optional fields. A record stays valid in the format that it has, and gets the newest one when it
 * changes; none ever goes back.
 */
export type RecordFormat = 1 | 2;

export const NEWEST_FORMAT = 2;

/** What a node does about formats. */
export interface RecordFormats {
  /** In which format records are signed: the first one while nodes may run that know no other. */
  readonly written: RecordFormat;
  readonly known: KnownFields;
}

export const RECORD_FORMATS: RecordFormats = { written: NEWEST_FORMAT, known: KNOWN_FIELDS };

/**
 * The format in which a record is signed.
 *
 * @param before its MAC before the change
 * @throws KmsError `CONFLICT` for an optional field while nodes may run that could not read it.
 */
export function formatToSign(
  { written }: RecordFormats,
  before: RecordMac | null | undefined,
  ...fields: readonly RecordFields[]
): RecordFormat {
  if (written === NEWEST_FORMAT || before?.format === NEWEST_FORMAT) return NEWEST_FORMAT;
  if (fields.every(isEmpty)) return written;
  throw new KmsError(
    'CONFLICT',
    'Nodes of an earlier release are running, which could not read the record. Ask again when all nodes are of this release.',
  );
}

/**
 * The format in which a record is signed that ends for good. It is never refused: an optional field that somebody put into a
 * record of format 1 is not covered, so the record stays as unauthentic as it was, and has ended.
 */
export function formatOfEnd({ written }: RecordFormats, before: RecordMac | null | undefined): RecordFormat {
  return written === NEWEST_FORMAT || before?.format === NEWEST_FORMAT ? NEWEST_FORMAT : written;
}

export function isEmpty(fields: RecordFields): boolean {
  return Object.keys(fields).length === 0;
}

/**
 * An authentic record that this release must not act on: a newer one gave it a critical field. Nodes of that release serve it.
 */
export class NewerRecord extends KmsError {
  constructor(what: string, tag: string) {
    super('INTERNAL_ERROR', `The record of the ${what} has the field ${tag}, which this release does not know.`);
  }
}

/** Throws {@link NewerRecord} for a critical field that is not known. */
export function requireKnown(what: string, fields: RecordFields, known: readonly KnownField[]): void {
  for (const tag of Object.keys(fields))
    if (isCritical(tag) && !known.some((field) => field.tag === tag)) throw new NewerRecord(what, tag);
}
