import { canonicalJson } from '@qnsp/kms-audit';
import { expect, test } from 'vitest';

/** A double by its IEEE 754 bits in hexadecimal. */
function double(bits: string): number {
  return Buffer.from(bits, 'hex').readDoubleBE();
}

test('RFC 8785, section 3.2.2: the sample of literals, numbers and strings', () => {
  const sample = JSON.parse(
    String.raw`{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}`,
  ) as unknown;
  expect(canonicalJson(sample)).toBe(
    String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
  );
});

test('RFC 8785, section 3.2.3: members are in the order of their UTF-16 code units', () => {
  const sample = JSON.parse(
    String.raw`{"\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One",
      "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control", "\u00f6": "Latin Small Letter O With Diaeresis"}`,
  ) as unknown;
  expect(Object.values(JSON.parse(canonicalJson(sample)) as object)).toHaveLength(7);
  const values = [...canonicalJson(sample).matchAll(/:"([^"]+)"/g)].map(([, value]) => value);
  expect(values).toEqual([
    'Carriage Return',
    'One',
    'Control',
    'Latin Small Letter O With Diaeresis',
    'Euro Sign',
    'Emoji: Grinning Face',
    'Hebrew Letter Dalet With Dagesh',
  ]);
  expect(canonicalJson({ 10: 'ten', 9: 'nine' })).toBe('{"10":"ten","9":"nine"}');
});

test.each([
  ['0000000000000000', '0'],
  ['8000000000000000', '0'],
  ['0000000000000001', '5e-324'],
  ['7fefffffffffffff', '1.7976931348623157e+308'],
  ['4340000000000000', '9007199254740992'],
  ['4430000000000000', '295147905179352830000'],
  ['44b52d02c7e14af5', '9.999999999999997e+22'],
  ['44b52d02c7e14af6', '1e+23'],
  ['444b1ae4d6e2ef4e', '999999999999999700000'],
  ['444b1ae4d6e2ef50', '1e+21'],
  ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
  ['3eb0c6f7a0b5ed8d', '0.000001'],
  ['41b3de4355555553', '333333333.3333332'],
  ['43143ff3c1cb0959', '1424953923781206.2'],
])('RFC 8785, appendix B: %s is %s', (bits, text) => {
  expect(canonicalJson(double(bits))).toBe(text);
});

test('what JSON cannot say is refused, and not left out', () => {
  expect(() => canonicalJson(double('7fffffffffffffff'))).toThrow(TypeError);
  expect(() => canonicalJson(double('7ff0000000000000'))).toThrow(TypeError);
  expect(() => canonicalJson({ name: '\udead' })).toThrow(TypeError);
  expect(() => canonicalJson(undefined)).toThrow(TypeError);
});

test('what is in order already has the same form as what is not', () => {
  const inOrder = { a: [1, { b: 'ä\u2028"', c: null }], aa: { '€': -0, '😀': 1e21 }, b: false };
  const text = '{"a":[1,{"b":"ä\u2028\\"","c":null}],"aa":{"€":0,"😀":1e+21},"b":false}';
  expect(canonicalJson(inOrder)).toBe(text);
  expect(canonicalJson({ b: false, aa: { '😀': 1e21, '€': -0 }, a: [1, { c: null, b: 'ä\u2028"' }] })).toBe(text);
  for (const value of [{ a: '\udead' }, { '\udead': 1 }, { a: [Number.NaN] }, [{ a: 1n }]])
    expect(() => canonicalJson(value), Object.keys(value).join()).toThrow(TypeError);
});

test('what is nested too deeply has no canonical form', () => {
  const deep = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`) as unknown;
  expect(() => canonicalJson(deep)).toThrow(TypeError);
});
