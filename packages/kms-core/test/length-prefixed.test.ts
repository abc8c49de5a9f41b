import { type Field, lengthPrefixed } from '@qnsp/kms-core/internal';
import { expect, test } from 'vitest';

/** The encoding by its definition, field by field. */
function byDefinition(fields: readonly Field[]): Buffer {
  const parts = fields.map((field) => {
    if (field === null) return Buffer.from('ffffffff', 'hex');
    const bytes = bytesOf(field);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  });
  return Buffer.concat(parts);
}

function bytesOf(field: Exclude<Field, null>): Uint8Array {
  if (typeof field === 'string') return Buffer.from(field, 'utf8');
  if (typeof field === 'boolean') return Buffer.of(Number(field));
  if (typeof field !== 'number') return field;
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(field));
  return bytes;
}

test('a list of fields is encoded as it is defined', () => {
  expect(lengthPrefixed(['ab', null, 258, true, Buffer.from([9])]).toString('hex')).toBe(
    '000000026162ffffffff00000008000000000000010200000001010000000109',
  );
});

test.each<[string, readonly Field[]]>([
  ['no field', []],
  ['empty fields', ['', Buffer.alloc(0), null]],
  ['characters of one to four bytes', ['a', 'ä', '€', '😀', 'aä€😀'.repeat(99)]],
  [
    'strings around the length that is short',
    ['a'.repeat(48), 'b'.repeat(49), `${'c'.repeat(47)}é`, `${'d'.repeat(48)}é`],
  ],
  ['a character that is not ASCII behind others that are', ['abc', '\u007f', '\u0080', 'z']],
  ['half of a surrogate pair', ['\ud800', 'x\udfffy']],
  ['small and large numbers', [0, 1, 255, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER]],
  ['flags', [true, false]],
  ['a view of other bytes', [new Uint8Array([1, 2, 3, 4]).subarray(1, 3), new Uint8Array(1000).fill(7)]],
])('%s: the same as by the definition', (_what, fields) => {
  expect(lengthPrefixed(fields)).toEqual(byDefinition(fields));
});

test.each([-1, 0.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY])('%d is no number of it', (number) => {
  expect(() => lengthPrefixed([number])).toThrow(RangeError);
});
