import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { bytes, fromBase64, toBase64 } from '../src/fields/bytes.ts';

const field = bytes({ minimum: 1, maximum: 6 });

describe('base64 in requests', () => {
  it.each([
    ['aA==', 'h'],
    ['aGk=', 'hi'],
    ['aGV5', 'hey'],
    ['/+8=', '\u00ff\u00ef'],
  ])('accepts %s', (text, latin1) => {
    expect(Buffer.from(field.parse(text)).toString('latin1')).toBe(latin1);
  });

  it.each([
    ['base64url', '_-8='],
    ['missing padding', 'aA'],
    ['half of the padding', 'aA='],
    ['superfluous padding', 'aGV5===='],
    ['padding in the middle', 'aA==aA=='],
    ['nothing but padding', '===='],
    ['non-zero bits behind one byte', 'aB=='],
    ['non-zero bits behind two bytes', 'aGl='],
    ['a line break', 'aGV5\n'],
    ['spaces in place of padding', 'aA  '],
    ['a space within', 'aG V5aA='],
    ['a character beyond ASCII', 'aGVä'],
    ['a lookalike of a letter', 'аGV5'],
    ['a null character', 'aGV\0'],
    ['no text', 5],
    ['null', null],
    ['a list of numbers', [104]],
    ['a serialised Buffer', { type: 'Buffer', data: [104] }],
  ])('refuses %s', (_, value) => {
    expect(field.safeParse(value).success).toBe(false);
  });

  it('counts bytes, not characters', () => {
    expect(field.safeParse('').success).toBe(false);
    expect(bytes({ maximum: 6 }).parse('')).toHaveLength(0);
    expect(field.safeParse(toBase64(new Uint8Array(6))).success).toBe(true);
    expect(field.safeParse(toBase64(new Uint8Array(7))).success).toBe(false);
    expect(bytes({ maximum: 4 }).safeParse(toBase64(new Uint8Array(5))).success).toBe(false);
  });

  it('encodes a view of a larger buffer without what is around it', () => {
    const view = new Uint8Array([1, 104, 105, 2]).subarray(1, 3);
    expect(z.encode(field, view)).toBe('aGk=');
  });

  it('comes back unchanged for every length', () => {
    for (let length = 0; length < 70; length += 1) {
      const data = Uint8Array.from({ length }, (_, index) => (index * 37 + length) % 256);
      expect(fromBase64(toBase64(data))).toEqual(Buffer.from(data));
    }
  });
});
