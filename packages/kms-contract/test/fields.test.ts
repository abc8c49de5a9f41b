import { ALGORITHMS } from '@qnsp/kms-core/algorithms';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { algorithm } from '../src/fields/algorithm.ts';
import { durationSeconds, rotationPeriod } from '../src/fields/duration.ts';
import { instant, instantText } from '../src/fields/instant.ts';
import { keyPurpose, rotation } from '../src/fields/key-settings.ts';
import { queryInteger } from '../src/fields/query.ts';
import { stringMap } from '../src/fields/string-map.ts';
import { line } from '../src/fields/text.ts';
import { uuid } from '../src/fields/uuid.ts';

const accepts = (schema: z.ZodType, value: unknown) => schema.safeParse(value).success;
const DAY = 86_400;

describe('uuid', () => {
  it('takes either case and answers lower case', () => {
    expect(uuid.parse('0198F2A5-0C1D-7E2F-8A3B-4C5D6E7F8091')).toBe('0198f2a5-0c1d-7e2f-8a3b-4c5d6e7f8091');
  });

  it.each([
    '',
    'abc',
    '0198f2a50c1d7e2f8a3b4c5d6e7f8091',
    '{0198f2a5-0c1d-7e2f-8a3b-4c5d6e7f8091}',
    '0198f2a5-0c1d-7e2f-8a3b-4c5d6e7f8091\n',
    7,
  ])('refuses %j', (value) => {
    expect(accepts(uuid, value)).toBe(false);
  });
});

describe('instants', () => {
  it.each([
    ['2030-01-31T12:00:00Z', '2030-01-31T12:00:00.000Z'],
    ['2030-01-31T12:00:00.250Z', '2030-01-31T12:00:00.250Z'],
    ['2030-01-31T12:00:00+02:00', '2030-01-31T10:00:00.000Z'],
    ['2028-02-29T00:00:00Z', '2028-02-29T00:00:00.000Z'],
  ])('%s is %s', (text, utc) => {
    expect(instant.parse(text).toISOString()).toBe(utc);
    expect(instantText.parse(text)).toBe(utc);
    expect(z.encode(instant, new Date(utc))).toBe(utc);
  });

  it.each([
    '2030-01-31',
    '2030-01-31T12:00:00',
    '2030-01-31T12:00Z',
    '2030-02-30T12:00:00Z',
    '2030-01-31 12:00:00Z',
    'tomorrow',
    1_900_000_000,
    null,
    // The zero time of Go, of the year 1 and of Unix before it began, and the hours around 10000.
    '0001-01-01T00:00:00Z',
    '1969-12-31T23:59:59.999Z',
    '1970-01-01T00:00:00+00:01',
    '9999-12-31T23:59:59-14:00',
    '9999-12-31T23:59:59-00:01',
    '0000-01-01T00:00:00Z',
    '10000-01-01T00:00:00Z',
  ])('refuses %j', (value) => {
    expect(accepts(instant, value)).toBe(false);
    expect(accepts(instantText, value)).toBe(false);
  });

  it.each([
    ['1970-01-01T00:00:00Z', '1970-01-01T00:00:00.000Z'],
    ['1969-12-31T23:59:59-01:00', '1970-01-01T00:59:59.000Z'],
    ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
    ['9999-12-31T23:59:59+14:00', '9999-12-31T09:59:59.000Z'],
  ])('takes %s, at an end of what can be stored', (text, utc) => {
    expect(instant.parse(text).toISOString()).toBe(utc);
    expect(instantText.parse(text)).toBe(utc);
  });
});

describe('lines of text', () => {
  const name = line(5);

  it('takes white space around them off', () => {
    expect(name.parse('  key \t')).toBe('key');
  });

  it.each(['', '   ', 'longer', 'a\nb', 'a\u0000b', 'a\u007fb', 'a\u0085b', 'a\u2028b', '\ud800', 3])(
    'refuses %j',
    (value) => {
      expect(accepts(name, value)).toBe(false);
    },
  );

  it('takes any other character', () => {
    expect(name.parse('Schlü')).toBe('Schlü');
    expect(name.parse('🔑')).toBe('🔑');
  });
});

describe('objects of strings', () => {
  const map = stringMap({ entries: 2, nameCharacters: 4, valueCharacters: 8, totalBytes: 12 });

  it('hands the object on without a copy', () => {
    const value = { a: 'b' };
    expect(map.parse(value)).toBe(value);
    expect(map.parse({})).toEqual({});
  });

  it.each<[string, unknown]>([
    ['a list', ['a']],
    ['null', null],
    ['a string', 'a'],
    ['a value that is no string', { a: 1 }],
    ['a nested object', { a: { b: 'c' } }],
    ['too many entries', { a: '1', b: '2', c: '3' }],
    ['an empty name', { '': 'a' }],
    ['a name that is too long', { abcde: 'a' }],
    ['a value that is too long', { a: '123456789' }],
    ['too many bytes', { a: '1234567', b: '12345678' }],
    ['too many bytes in UTF-8', { a: 'ääääää' }],
    ['a lone surrogate in a value', { a: '\ud800' }],
    ['a lone surrogate in a name', { '\udc00': 'a' }],
  ])('refuses %s', (_, value) => {
    expect(accepts(map, value)).toBe(false);
  });

  it.each(['{"__proto__":"a"}', '{"__proto__":{"a":"b"}}', '{"a":"b","__proto__":"c"}'])('refuses %s', (json) => {
    const wide = stringMap({ entries: 4, nameCharacters: 20, valueCharacters: 8, totalBytes: 100 });
    expect(accepts(wide, JSON.parse(json))).toBe(false);
  });

  it('takes names of Object.prototype as names like any other', () => {
    const wide = stringMap({ entries: 4, nameCharacters: 20, valueCharacters: 8, totalBytes: 100 });
    const value: unknown = JSON.parse('{"constructor":"a","toString":"b","hasOwnProperty":"c"}');
    expect(wide.parse(value)).toEqual(value);
  });

  it('allows exactly its bounds', () => {
    expect(accepts(map, { ab: '12345678', c: '1' })).toBe(true);
    expect(accepts(map, { ab: '12345678', c: '12' })).toBe(false);
  });
});

describe('durations', () => {
  it.each([
    ['P90D', 90 * DAY],
    ['PT3600S', 3600],
    ['PT1H30M', 5400],
    ['P1DT12H', 36 * 3600],
    ['P2W', 14 * DAY],
    ['P1Y', 365 * DAY],
    ['P1M', 30 * DAY],
    ['PT1M', 60],
    ['90d', 90 * DAY],
    ['12h', 12 * 3600],
    ['30m', 1800],
    ['3600s', 3600],
    [7_776_000, 90 * DAY],
  ])('%s is %d seconds', (duration, seconds) => {
    expect(durationSeconds(duration)).toBe(seconds);
  });

  it.each([
    '',
    'P',
    'PT',
    'P1',
    'P1DT',
    'P1H',
    'PT1D',
    'P1W1D',
    'P-1D',
    '-P1D',
    'P1.5D',
    'p1d',
    ' P1D',
    '90',
    '90 d',
    '90D',
    '1w',
    '1.5h',
    '90d\n',
    1.5,
    -1,
    Number.NaN,
    Infinity,
  ])('%j is none', (duration) => {
    expect(durationSeconds(duration)).toBeUndefined();
  });

  it('bounds rotation to a minute and ten years, and answers ISO 8601', () => {
    expect(accepts(rotationPeriod, 59)).toBe(false);
    expect(rotationPeriod.parse('60s')).toBe(60);
    expect(rotationPeriod.parse('P10Y')).toBe(3650 * DAY);
    expect(accepts(rotationPeriod, 3650 * DAY + 1)).toBe(false);
    expect(accepts(rotationPeriod, true)).toBe(false);
    expect(z.encode(rotationPeriod, 90 * DAY)).toBe('P90D');
  });

  it('maps the rotation settings to those of the core and back', () => {
    const json = { rotationPeriod: 'P90D', autoRotate: false, retainVersions: null };
    const settings = { periodSeconds: 90 * DAY, auto: false, retainVersions: null };
    expect(rotation.parse(json)).toEqual(settings);
    expect(z.encode(rotation, settings)).toEqual(json);
    expect(rotation.parse({})).toEqual({});
    expect(rotation.parse({ rotationPeriod: null })).toEqual({ periodSeconds: null });
    expect(accepts(rotation, { period: 'P1D' })).toBe(false);
    expect(accepts(rotation, { retainVersions: 0 })).toBe(false);
  });
});

describe('algorithms and purposes', () => {
  it('takes every spelling of the registry and answers the platform id', () => {
    for (const row of ALGORITHMS) {
      for (const spelling of [row.id, row.standardName, row.id.toUpperCase(), ...(row.spellings ?? [])]) {
        expect(algorithm.parse(spelling)).toBe(row);
      }
      expect(z.encode(algorithm, row)).toBe(row.id);
    }
  });

  it.each(['rot13', '', 5, null, 'x'.repeat(65)])('refuses %j', (value) => {
    expect(accepts(algorithm, value)).toBe(false);
  });

  it('takes an empty purpose for the algorithm’s own', () => {
    expect(keyPurpose.parse('')).toBeNull();
    expect(keyPurpose.parse('signing')).toBe('signing');
    expect(z.encode(keyPurpose, null)).toBe('');
    expect(accepts(keyPurpose, 'Signing')).toBe(false);
    expect(accepts(keyPurpose, 'payments')).toBe(false);
  });
});

describe('whole numbers in a query', () => {
  const limit = queryInteger(1, 200, 50);

  it('reads decimal digits', () => {
    expect(limit.parse('100')).toBe(100);
    expect(z.encode(limit, 100)).toBe('100');
  });

  it.each(['0', '201', '-1', '1.5', '1e2', '0x10', ' 5', '', 'NaN', '9'.repeat(20), ['1', '2'], 5])(
    'refuses %j',
    (value) => {
      expect(accepts(limit, value)).toBe(false);
    },
  );
});
