import { z } from 'zod';
import { LIMITS } from '../bounds/limits.ts';
import { onTheWire } from './wire-schema.ts';

const { earliest, latest } = LIMITS.instant;

const text = z.iso
  .datetime({ offset: true, abort: true, error: 'must be an RFC 3339 instant, such as 2030-01-31T12:00:00Z' })
  // Even with a time zone that moves the first or last hours outside that range.
  .refine((value) => isHeld(Date.parse(value)), 'must be in the years 1970 to 9999, in UTC');

function isHeld(time: number): boolean {
  return time >= earliest && time <= latest;
}

const JSON_SCHEMA = {
  type: 'string',
  format: 'date-time',
  pattern: '^(19[7-9][0-9]|[2-9][0-9]{3})-',
  description: `From ${new Date(earliest).toISOString()} to ${new Date(latest).toISOString()}.`,
};

/** An instant of a request: RFC 3339 with a time zone in JSON, a date inside. */
export const instant = onTheWire(
  z.codec(text, z.date(), { decode: (value) => new Date(value), encode: (date) => date.toISOString() }),
  JSON_SCHEMA,
);

/** An instant that stays text and is only brought to UTC. */
export const instantText = onTheWire(
  z.codec(text, z.string(), { decode: (value) => new Date(value).toISOString(), encode: (value) => value }),
  JSON_SCHEMA,
);

/** An instant of an answer: RFC 3339 in UTC, with `Z`. */
export const answeredInstant = onTheWire(z.string(), { type: 'string', format: 'date-time' });
