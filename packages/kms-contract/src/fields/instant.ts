import { z } from 'zod';
import { onTheWire } from './wire-schema.ts';

const rfc3339 = z.iso.datetime({ offset: true, error: 'must be an RFC 3339 instant, like 2030-01-31T12:00:00Z' });

/** An instant of a request: RFC 3339 with a time zone in JSON, a date inside. */
export const instant = onTheWire(
  z.codec(rfc3339, z.date(), { decode: (text) => new Date(text), encode: (date) => date.toISOString() }),
  { type: 'string', format: 'date-time' },
);

/** An instant that stays text and is only brought to UTC. */
export const instantText = onTheWire(
  z.codec(rfc3339, z.string(), { decode: (text) => new Date(text).toISOString(), encode: (text) => text }),
  { type: 'string', format: 'date-time' },
);

/** An instant of an answer: RFC 3339 in UTC, with `Z`. */
export const answeredInstant = onTheWire(z.string(), { type: 'string', format: 'date-time' });
