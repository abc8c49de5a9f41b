import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  BOUNDS,
  sortedJson,
  createKey,
  getKey,
  type JsonValue,
  type Metadata,
  metadataProblem,
  updateKey,
} from '../src/exports/internal.ts';
import { type Fixture, makeFixture } from './kms-fixture.ts';

let f: Fixture;
beforeAll(async () => {
  f = await makeFixture();
});

const bounds = BOUNDS.metadata;
const x = (length: number) => 'x'.repeat(length);
const nested = (levels: number): JsonValue => (levels === 1 ? {} : { a: nested(levels - 1) });
const listed = (levels: number): JsonValue => (levels === 1 ? [] : [listed(levels - 1)]);
/** The document of a request, as JSON parses it. */
const parsed = (json: string) => JSON.parse(json) as Metadata;

describe('metadata', () => {
  it.each<[string, Metadata]>([
    ['texts', { team: 'orders', empty: '' }],
    ['numbers, booleans and null', { count: 3, share: 0.1, tiny: 5e-324, off: false, on: true, none: null }],
    ['the ends of whole numbers', { most: Number.MAX_SAFE_INTEGER, least: Number.MIN_SAFE_INTEGER }],
    ['lists and objects', { list: [1, 'a', [null, {}]], object: { a: { b: [] } } }],
    ['as many levels as there may be', { a: nested(bounds.levels - 1), b: listed(bounds.levels - 1) }],
    ['as many members', Object.fromEntries(Array.from({ length: bounds.entries }, (_, index) => [`n${index}`, index]))],
    ['as many characters', { [x(bounds.nameCharacters)]: x(bounds.valueCharacters) }],
    ['names that mean something to JavaScript', { constructor: 1, toString: 'a', hasOwnProperty: null, '0': 'zero' }],
  ])('is answered as it was sent: %s', async (_what, metadata) => {
    const { keyId, metadata: answered } = await createKey({ kms: f.kms, caller: f.admin }, { metadata });
    expect(answered).toEqual(metadata);
    const { keyId: other } = await createKey({ kms: f.kms, caller: f.admin }, {});
    await updateKey({ kms: f.kms, caller: f.admin }, { keyId: other, metadata });
    // From the store, past its MAC.
    for (const id of [keyId, other])
      await expect(getKey({ kms: f.kms, caller: f.admin }, { keyId: id })).resolves.toMatchObject({ metadata });
  });

  it.each<[string, unknown, string]>([
    ['no object', 'text', 'metadata'],
    ['a list', [], 'metadata'],
    ['null', null, 'metadata'],
    ['a number that no double holds', parsed('{"a":{"b":1e400}}'), 'metadata.a.b'],
    ['a whole number that lost digits', parsed('{"a":[1,12345678901234567890]}'), 'metadata.a.1'],
    ['-0', parsed('{"a":-0}'), 'metadata.a'],
    ['-0 of a fraction', parsed('{"a":[-0.0]}'), 'metadata.a.0'],
    ['NaN', { a: Number.NaN }, 'metadata.a'],
    ['undefined', { a: undefined }, 'metadata.a'],
    ['a function', { a: () => 1 }, 'metadata.a'],
    ['a big integer', { a: 1n }, 'metadata.a'],
    ['a symbol', { a: [Symbol('a')] }, 'metadata.a.0'],
    ['a hole in a list', { a: Array(1) }, 'metadata.a.0'],
    ['a date, which JSON would write as text', { a: new Date(0) }, 'metadata.a'],
    ['bytes', { a: new Uint8Array(1) }, 'metadata.a'],
    ['a map', { a: new Map() }, 'metadata.a'],
    ['__proto__', parsed('{"__proto__":{}}'), 'metadata.__proto__'],
    ['__proto__ further down', parsed('{"a":[{"b":{"__proto__":1}}]}'), 'metadata.a.0.b.__proto__'],
    ['no name', { '': 1 }, 'metadata.'],
    ['a long name further down', { a: { [x(bounds.nameCharacters + 1)]: 1 } }, `metadata.a.${x(129)}`],
    ['a long text', { a: [x(bounds.valueCharacters + 1)] }, 'metadata.a.0'],
    ['U+0000', { a: { b: '\0' } }, 'metadata.a.b'],
    ['U+0000 in a name', { a: { '\0': 1 } }, 'metadata.a.\0'],
    ['half of a surrogate pair', { a: ['\ud800'] }, 'metadata.a.0'],
    ['one level too many', { a: nested(bounds.levels) }, 'metadata.a.a.a.a.a.a.a.a'],
    ['one level of lists too many', { a: listed(bounds.levels) }, 'metadata.a.0.0.0.0.0.0.0'],
    [
      'one member too many',
      parsed(`{"a":{${Array.from({ length: 65 }, (_, i) => `"n${i}":1`).join()}}}`),
      'metadata.a',
    ],
    ['too many bytes', { a: Array.from({ length: 17 }, () => x(1000)) }, 'metadata'],
    [
      'numbers that the database would write with too many digits',
      { a: Array.from({ length: 60 }, () => 5e-324) },
      'metadata',
    ],
    ['too many empty lists', { a: Array.from({ length: 6000 }, () => []) }, 'metadata'],
  ])('is refused where it would not come back as it was sent: %s', async (_what, metadata, path) => {
    const refused = { code: 'BAD_REQUEST', details: { issues: [{ path, reason: expect.any(String) }] } };
    await expect(createKey({ kms: f.kms, caller: f.admin }, { metadata: metadata as Metadata })).rejects.toMatchObject(
      refused,
    );
  });

  it('that holds itself is refused, and what holds one thing many times ends', () => {
    const circle: Record<string, unknown> = {};
    circle['a'] = circle;
    expect(metadataProblem(circle)).toMatchObject({ reason: expect.stringContaining('levels') });
    let many: readonly unknown[] = [];
    for (let level = 2; level < bounds.levels; level += 1) many = Array.from({ length: 64 }, () => many);
    const before = process.threadCpuUsage();
    expect(metadataProblem({ many })).toMatchObject({ reason: expect.stringContaining('bytes') });
    const { user, system } = process.threadCpuUsage(before);
    expect((user + system) / 1000).toBeLessThan(1000);
  });

  it('that is taken is the same after JSON, in its canonical form, and within its size', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ unit: 'binary', maxLength: 8 }), fc.jsonValue({ maxDepth: 8 })),
        (metadata) => {
          if (metadataProblem(metadata) !== undefined) return;
          const again = parsed(JSON.stringify(metadata));
          expect(again).toEqual(metadata);
          expect(sortedJson(again)).toBe(sortedJson(metadata));
          expect(parsed(sortedJson(metadata))).toEqual(metadata);
          expect(metadataProblem(again)).toBeUndefined();
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('of texts has the bounds that it always had', () => {
    const text = fc.string({ unit: 'binary', maxLength: bounds.valueCharacters + 1 });
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'binary', maxLength: 130 }), text, { maxKeys: 70 }), (metadata) => {
        const bytes = Object.entries(metadata).reduce(
          (sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value),
          0,
        );
        const isTaken =
          Object.entries(metadata).every(
            ([name, value]) =>
              name !== '__proto__' &&
              name.length > 0 &&
              name.length <= bounds.nameCharacters &&
              value.length <= bounds.valueCharacters &&
              `${name}${value}`.isWellFormed() &&
              name.isWellFormed() &&
              !`${name}${value}`.includes('\0'),
          ) &&
          Object.keys(metadata).length <= bounds.entries &&
          bytes <= bounds.totalBytes;
        expect(metadataProblem(metadata) === undefined).toBe(isTaken);
      }),
      { numRuns: 1000 },
    );
  });
});
