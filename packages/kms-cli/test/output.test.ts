import { parse } from 'yaml';
import stringWidth from 'string-width';
import { describe, expect, test } from 'vitest';
import { formatOutput, type OutputStyle } from '../src/terminal/output.ts';

const TABLE: OutputStyle = { format: 'table', colours: false };
const KEYS = [
  { id: '0199f0c4', name: 'a name that is quite long for a table', state: 'active' },
  { id: '0199f0c5', name: '鍵の名前', state: 'revoked' },
];
const show = (style: OutputStyle) => formatOutput(style, KEYS, (all) => all);

describe('a table', () => {
  test('has no cell that moves the cursor, changes colours or turns the line around', () => {
    const row = { name: 'red \u001B[31m\r\n\u202E', ready: true, none: null };
    expect(formatOutput(TABLE, row, (value) => [value])).toBe(
      'NAME          READY  NONE\nred \uFFFD[31m\uFFFD\uFFFD\uFFFD  yes    -\n',
    );
  });

  test('lines up its columns by what characters are wide on a terminal', () => {
    const [, first = '', second = ''] = show(TABLE).split('\n');
    expect(stringWidth(first.slice(0, first.indexOf('active')))).toBe(
      stringWidth(second.slice(0, second.indexOf('revoked'))),
    );
  });

  test.each([30, 40, 60, 200])('fits a terminal of %i columns, and keeps what names a row', (width) => {
    const lines = show({ ...TABLE, width }).split('\n');
    for (const line of lines) expect(stringWidth(line)).toBeLessThanOrEqual(width);
    expect(lines[1]).toMatch(/^0199f0c4 /);
  });

  test('has the columns that were asked for, and names those there are', () => {
    expect(show({ ...TABLE, columns: ['state', 'id'] })).toBe('STATE    ID\nactive   0199f0c4\nrevoked  0199f0c5\n');
    expect(() => show({ ...TABLE, columns: ['age'] })).toThrow(
      'There is no column "age": choose from id, name, state.',
    );
  });

  test('has colours only where they are shown', () => {
    expect(show({ ...TABLE, colours: true })).toContain('\u001B[31mrevoked\u001B[39m');
    expect(show(TABLE)).not.toContain('\u001B');
  });
});

test('JSON and YAML have every fact, and bytes as base64', () => {
  const value = { keyId: 'a', publicKey: Uint8Array.of(1, 2), versions: [{ at: new Date(0) }], name: null };
  const expected = { keyId: 'a', publicKey: 'AQI=', versions: [{ at: '1970-01-01T00:00:00.000Z' }], name: null };
  expect(JSON.parse(formatOutput({ ...TABLE, format: 'json' }, value, () => []))).toEqual(expected);
  expect(parse(formatOutput({ ...TABLE, format: 'yaml' }, value, () => []))).toEqual(expected);
});

test('names are the first cell of each row, a line each', () => {
  expect(show({ ...TABLE, format: 'name' })).toBe('0199f0c4\n0199f0c5\n');
});
