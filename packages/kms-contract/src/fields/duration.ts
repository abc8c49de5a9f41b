import { formatDuration } from '@qnsp/kms-core/internal';
import { z } from 'zod';
import { LIMITS } from '../bounds/limits.ts';
import { onTheWire } from './wire-schema.ts';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** ISO 8601, section 5.5.2: weeks alone, or date and time components in their order, of which at least one is there. */
const ISO =
  /^P(?=\d|T\d)(?:(\d{1,4})W|(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,5})D)?(?:T(?=\d)(?:(\d{1,6})H)?(?:(\d{1,8})M)?(?:(\d{1,10})S)?)?)$/;
const ISO_UNITS = [7 * DAY, 365 * DAY, 30 * DAY, DAY, HOUR, MINUTE, 1] as const;
const SHORTHAND = /^(\d{1,10})([dhms])$/;
const SHORTHAND_UNITS: Readonly<Record<string, number>> = { d: DAY, h: HOUR, m: MINUTE, s: 1 };

/**
 * The seconds of a duration: an ISO 8601 duration (`P90D`, `PT3600S`; a year counts 365 days and a month 30), the shorthand
 * `90d`, `12h`, `30m` or `3600s`, or whole seconds as a number. Answers `undefined` for anything else.
 *
 * @example
 * import { durationSeconds } from '@qnsp/kms-contract';
 * console.log(durationSeconds('P1DT12H')); // 129600
 */
export function durationSeconds(duration: string | number): number | undefined {
  if (typeof duration === 'number') return Number.isSafeInteger(duration) && duration >= 0 ? duration : undefined;
  const [, count, unit = ''] = SHORTHAND.exec(duration) ?? [];
  if (count !== undefined) return Number(count) * (SHORTHAND_UNITS[unit] ?? Number.NaN);
  const [, ...components] = ISO.exec(duration) ?? [];
  if (components.length === 0) return undefined;
  return ISO_UNITS.reduce((total, seconds, index) => total + seconds * Number(components[index] ?? 0), 0);
}

const { minimum, maximum } = LIMITS.rotationSeconds;

/** The period of automatic rotation: any spelling of a duration in JSON, seconds inside, ISO 8601 in answers. */
export const rotationPeriod = onTheWire(
  z.codec(
    z.custom<string | number>((value) => typeof value === 'string' || typeof value === 'number', 'must be a duration'),
    z
      .int()
      .min(minimum, `must be at least ${formatDuration(minimum)}`)
      .max(maximum, `must be at most ${formatDuration(maximum)}`),
    {
      decode: (duration, { issues }) => {
        const seconds = durationSeconds(duration);
        if (seconds !== undefined) return seconds;
        issues.push({
          code: 'custom',
          message:
            'must be an ISO 8601 duration such as P90D, a shorthand such as 90d, 12h, 30m or 3600s, or whole seconds',
          input: undefined,
        });
        return z.NEVER;
      },
      encode: formatDuration,
    },
  ),
  {
    anyOf: [{ type: 'string' }, { type: 'integer', minimum, maximum }],
    description:
      'An ISO 8601 duration (`P90D`, `PT3600S`; a year counts 365 days and a month 30), the shorthand `90d`, `12h`, `30m` or ' +
      '`3600s`, or whole seconds. From one hour, unless the deployment sets another lower bound, to ten years.',
    examples: ['P90D', '90d', 7776000],
  },
);
