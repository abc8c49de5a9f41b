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
 * Which bytes of a record its MAC covers. Format 1 covers a fixed list of fields; format 2 has its own label and covers the
 * same list followed by any optional fields. A record stays valid in its format and gets the newest one when it changes; no
 * record ever goes back to an older format.
 */
export type RecordFormat = 1 | 2;

export const NEWEST_FORMAT = 2;

/** What a node does about formats. */
export interface RecordFormats {
  /** In which format records are signed: the first one while nodes may run that know no other. */
  readonly written: RecordFormat;
  readonly known: KnownFields;
  /** Whether master keys may be rotated: not while nodes may run that take a newer version for a fault. */
  readonly rotatesMasterKeys: boolean;
}

export const RECORD_FORMATS: RecordFormats = { written: NEWEST_FORMAT, known: KNOWN_FIELDS, rotatesMasterKeys: true };

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
 * The format in which the last state of a record is signed, when it ends for good. Never refuses: if somebody put an
 * optional field into a record of format 1, the MAC does not cover it, so the record ends and that field gains no trust.
 */
export function formatOfEnd({ written }: RecordFormats, before: RecordMac | null | undefined): RecordFormat {
  return written === NEWEST_FORMAT || before?.format === NEWEST_FORMAT ? NEWEST_FORMAT : written;
}

export function isEmpty(fields: RecordFields): boolean {
  return Object.keys(fields).length === 0;
}

/**
 * An authentic record that this release must not act on, because a newer release gave it a critical field. Nodes of that
 * newer release serve it.
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
