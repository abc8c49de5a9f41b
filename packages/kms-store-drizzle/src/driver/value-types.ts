import { KmsError } from '@qnsp/kms-core';

const asItIs = (text: string): unknown => text;

/**
 * How the values of a row are read from PostgreSQL's text, by the number of their type. A client of the application may have been
 * taught other ways, which are right for the application and wrong for the store.
 */
export const READERS: Readonly<Record<number, (text: string) => unknown>> = {
  // boolean
  16: (text) => text === 't',
  // bytea
  17: bytesOf,
  // bigint: drizzle knows which columns are numbers.
  20: asItIs,
  // smallint, integer, oid, real, double precision
  21: Number,
  23: Number,
  26: Number,
  700: Number,
  701: Number,
  // json, jsonb
  114: JSON.parse,
  3802: JSON.parse,
  // name, text, unknown, varchar, date, numeric, uuid, and arrays of text and uuid
  19: asItIs,
  25: asItIs,
  705: asItIs,
  1043: asItIs,
  1082: asItIs,
  1700: asItIs,
  2950: asItIs,
  1009: asItIs,
  2951: asItIs,
  // timestamp with time zone
  1184: instantOf,
};

/** The text of a value as PostgreSQL reads it, whatever type it is for. */
export function textOf(value: unknown): string {
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`;
  if (value instanceof Date) return value.toISOString();
  if (typeof value === 'boolean') return value ? 't' : 'f';
  return String(value);
}

function bytesOf(text: string): Uint8Array {
  if (!text.startsWith('\\x')) throw otherwiseWritten('bytea_output', 'hex');
  return Buffer.from(text.slice(2), 'hex');
}

/** As drizzle takes it: in any time zone, but with its offset. */
function instantOf(text: string): string {
  if (!/^\d{4,6}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?[+-]\d\d(?::\d\d)?$/.test(text))
    throw otherwiseWritten('DateStyle', 'ISO');
  return text;
}

function otherwiseWritten(setting: string, wanted: string): KmsError {
  return new KmsError(
    'INTERNAL_ERROR',
    `The sessions of the client have another ${setting} than ${wanted}: the store cannot read what they answer.`,
  );
}
