import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Suite } from '../src/algorithms/registry.ts';
import { algorithmById } from '../src/algorithms/resolve.ts';
import { encodeContext, encodeWrapData } from '../src/envelope/associated-data.ts';
import { beginsWithHeader, HEADER_BYTES, makeHeader, parseHeader, versionIn } from '../src/envelope/header.ts';
import { newId } from '../src/model/identifiers.ts';
import { failure, flipBit, type FreshKey, freshKey } from './crypto-samples.ts';

const SUITES = [
  [1, 'aes-256-gcm', 200],
  [2, 'aes-128-gcm', 200],
  [3, 'chacha20-poly1305', 200],
  [4, 'kyber-768', 100],
  [4, 'x25519-kyber-768', 60],
  [5, 'rsa-2048', 60],
] as const satisfies readonly (readonly [Suite, string, number])[];
const DECRYPT_FAILED = failure('DECRYPT_FAILED');
const contexts = fc.dictionary(
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  { maxKeys: 4 },
);
const bytes = (maxLength: number) => fc.uint8Array({ maxLength });
const keyVersions = fc.integer({ min: 1, max: 0xffffffff });

describe.each(SUITES)('suite %i with %s', (suite, id, numRuns) => {
  let key: FreshKey;
  let other: FreshKey;
  beforeAll(async () => {
    [key, other] = await Promise.all([freshKey(algorithmById(id)), freshKey(algorithmById(id))]);
  });

  async function sealed(plaintext: Uint8Array, context: Uint8Array): Promise<Buffer> {
    return Buffer.from(await key.engine.seal(makeHeader(suite, newId(), 1), context, plaintext));
  }
  const opening = async (ciphertext: Uint8Array, context: Uint8Array) => key.engine.open(ciphertext, context);

  test('is the suite of its algorithm', () => {
    expect(algorithmById(id).suite).toBe(suite);
  });

  test('opens what it sealed, and the ciphertext starts with its header', async () => {
    await fc.assert(
      fc.asyncProperty(bytes(300), contexts, keyVersions, async (plaintext, context, version) => {
        const header = makeHeader(suite, newId(), version);
        const aad = encodeContext(context);
        const ciphertext = await key.engine.seal(header, aad, plaintext);
        expect(Buffer.from(ciphertext.subarray(0, HEADER_BYTES))).toEqual(header);
        expect(parseHeader(ciphertext)).toMatchObject({ suite, keyVersion: version });
        expect(Buffer.from(await opening(ciphertext, aad)).equals(plaintext)).toBe(true);
      }),
      { numRuns: numRuns / 4 },
    );
  });

  test('opens nothing with one bit flipped, wherever it is', async () => {
    const aad = encodeContext({ tenant: 'a' });
    const ciphertext = await sealed(Buffer.from('plaintext'), aad);
    const bits = fc.integer({ min: 0, max: ciphertext.length * 8 - 1 });
    const check = async (bit: number) => {
      await expect(opening(flipBit(ciphertext, bit), aad)).rejects.toThrow(DECRYPT_FAILED);
    };
    for (let at = 0; at < HEADER_BYTES; at += 1) await check(at * 8 + (at % 8));
    for (let at = ciphertext.length - 49; at < ciphertext.length; at += 1) await check(at * 8 + (at % 8));
    await fc.assert(fc.asyncProperty(bits, check), { numRuns });
  });

  test('opens nothing truncated or extended', async () => {
    const aad = encodeContext(undefined);
    const ciphertext = await sealed(Buffer.from('plaintext'), aad);
    const cut = fc.integer({ min: 0, max: ciphertext.length - 1 });
    await fc.assert(
      fc.asyncProperty(cut, async (length) => {
        await expect(opening(ciphertext.subarray(0, length), aad)).rejects.toThrow(DECRYPT_FAILED);
      }),
      { numRuns, examples: [[0], [HEADER_BYTES], [ciphertext.length - 1], [ciphertext.length - 16]] },
    );
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 40 }), async (tail) => {
        await expect(opening(Buffer.concat([ciphertext, tail]), aad)).rejects.toThrow(DECRYPT_FAILED);
      }),
      { numRuns: numRuns / 4 },
    );
  });

  test('opens nothing under another context, and wrapped data never as a ciphertext', async () => {
    await fc.assert(
      fc.asyncProperty(contexts, contexts, bytes(20), async (context, wrong, data) => {
        const ciphertext = await sealed(Buffer.from('plaintext'), encodeContext(context));
        await expect(opening(ciphertext, encodeWrapData(data))).rejects.toThrow(DECRYPT_FAILED);
        if (encodeContext(wrong).equals(encodeContext(context))) return;
        await expect(opening(ciphertext, encodeContext(wrong))).rejects.toThrow(DECRYPT_FAILED);
      }),
      { numRuns: numRuns / 4 },
    );
  });

  test('opens nothing under another key, and not the header of another ciphertext', async () => {
    const aad = encodeContext(undefined);
    const [first, second] = [await sealed(Buffer.from('one'), aad), await sealed(Buffer.from('two'), aad)];
    await expect(async () => other.engine.open(first, aad)).rejects.toThrow(DECRYPT_FAILED);
    const swapped = Buffer.concat([second.subarray(0, HEADER_BYTES), first.subarray(HEADER_BYTES)]);
    await expect(opening(swapped, aad)).rejects.toThrow(DECRYPT_FAILED);
  });

  test('seals the same plaintext differently each time', async () => {
    const seen = new Set<string>();
    const header = makeHeader(suite, newId(), 1);
    for (let i = 0; i < 20; i += 1) {
      seen.add(
        Buffer.from(await key.engine.seal(header, encodeContext(undefined), Buffer.from('same'))).toString('hex'),
      );
    }
    expect(seen.size).toBe(20);
  });
});

describe('the header', () => {
  test('is format(1) ‖ suite(1) ‖ keyId(16) ‖ keyVersion(4, big-endian)', () => {
    const header = makeHeader(4, '01234567-89ab-4cde-8f01-23456789abcd', 0x0a0b0c0d);
    expect(header.toString('hex')).toBe(['01', '04', '0123456789ab4cde8f0123456789abcd', '0a0b0c0d'].join(''));
    expect(HEADER_BYTES).toBe(22);
  });

  test('is read back from a view into a larger buffer', () => {
    const keyId = newId();
    const shifted = Buffer.concat([randomBytes(7), makeHeader(3, keyId, 0xfffffffe), randomBytes(9)]).subarray(7);
    expect(parseHeader(shifted)).toMatchObject({ suite: 3, keyId, keyVersion: 0xfffffffe });
  });

  test('is what a ciphertext begins with only where every byte of it is there', () => {
    const header = makeHeader(1, newId(), 0xfffffffe);
    const ciphertext = Buffer.concat([header, randomBytes(60)]);
    expect([versionIn(ciphertext), beginsWithHeader(ciphertext, header)]).toEqual([0xfffffffe, true]);
    for (let at = 0; at < HEADER_BYTES; at += 1) {
      expect(beginsWithHeader(flipBit(ciphertext, 8 * at), header), `byte ${at}`).toBe(false);
      const cut = ciphertext.subarray(0, at);
      expect([versionIn(cut), beginsWithHeader(cut, header)], `length ${at}`).toEqual([0, false]);
    }
    expect(beginsWithHeader(ciphertext, undefined)).toBe(false);
  });

  test('of an unknown format or suite, or cut short, is no header', () => {
    const header = makeHeader(1, newId(), 1);
    const wrong = (at: number, value: number) => Buffer.from(header).fill(value, at, at + 1);
    for (const bad of [
      wrong(0, 0),
      wrong(0, 2),
      wrong(1, 0),
      wrong(1, 6),
      header.subarray(1),
      header.subarray(0, 21),
    ]) {
      expect(() => parseHeader(bad)).toThrow(DECRYPT_FAILED);
    }
    expect(() => parseHeader(Buffer.alloc(0))).toThrow(DECRYPT_FAILED);
  });
});

describe('the encoding of a context', () => {
  test('does not depend on the order of its names', () => {
    fc.assert(
      fc.property(contexts, (context) => {
        const reversed = Object.fromEntries(Object.entries(context).toReversed());
        expect(encodeContext(reversed)).toEqual(encodeContext(context));
      }),
    );
    expect(encodeContext({ b: '1', a: '2' })).toEqual(encodeContext({ a: '2', b: '1' }));
  });

  test('is never that of another context', () => {
    const canonical = (context: Record<string, string>) =>
      JSON.stringify(Object.entries(context).sort(([a], [b]) => (a < b ? -1 : 1)));
    fc.assert(
      fc.property(contexts, contexts, (a, b) => {
        expect(encodeContext(a).equals(encodeContext(b))).toBe(canonical(a) === canonical(b));
      }),
      { numRuns: 1000 },
    );
    const pairs = [
      [{ ab: 'c' }, { a: 'bc' }],
      [{ a: '' }, {}],
      [{ a: 'b', c: 'd' }, { a: 'bcd' }],
      [{ '': 'a' }, { a: '' }],
    ] as const;
    for (const [a, b] of pairs) expect(encodeContext(a)).not.toEqual(encodeContext(b));
  });

  test('is its count, then each name and value with its length, names in the order of their bytes', () => {
    const expected = ['00000002', '00000001', '61', '00000002', '6262', '00000002', 'c3a9', '00000000'].join('');
    expect(encodeContext({ é: '', a: 'bb' }).toString('hex')).toBe(expected);
    expect(encodeContext({})).toEqual(Buffer.alloc(4));
    expect(encodeContext(undefined)).toEqual(encodeContext({}));
  });

  test('is never that of wrap data', () => {
    fc.assert(
      fc.property(contexts, bytes(60), (context, data) => {
        expect(encodeContext(context).equals(encodeWrapData(data))).toBe(false);
        expect(encodeWrapData(encodeContext(context)).equals(encodeContext(context))).toBe(false);
      }),
      { numRuns: 1000 },
    );
    expect(encodeWrapData(undefined).subarray(0, 4)).toEqual(Buffer.alloc(4, 0xff));
  });

  test('tells texts apart that differ only in lone surrogates', () => {
    // Both would become U+FFFD in UTF-8. Callers validate text at the edge; here the encoding must at least not merge keys.
    const entries = encodeContext({ '\ud800': 'a', '\ud801': 'a' });
    expect(entries.readUInt32BE(0)).toBe(2);
  });
});
