import { describe, expect, test } from 'vitest';
import { ALGORITHMS } from '../src/algorithms/registry.ts';
import { algorithmById, resolveAlgorithm } from '../src/algorithms/resolve.ts';
import { failure } from './crypto-samples.ts';

/** The comparison that the registry promises: without case, spaces, `_`, `-`, `.` and `/`. */
const normal = (name: string) => name.toLowerCase().replaceAll(/[\s_./-]/g, '');
const names = ALGORITHMS.flatMap((row) =>
  [row.id, row.standardName, ...(row.spellings ?? [])].map((name) => ({ name, id: row.id })),
);

describe('the registry', () => {
  test.each(names)('takes $name for $id in any case and punctuation', ({ name, id }) => {
    const [bare, spaced] = [normal(name), normal(name).split('').join(' ')];
    const variants = [
      name,
      name.toUpperCase(),
      name.toLowerCase(),
      name.replaceAll('-', '_'),
      name.replaceAll('-', '/'),
      bare,
      spaced,
    ];
    for (const variant of variants) expect(resolveAlgorithm(variant).id).toBe(id);
  });

  test('has no spelling that names two algorithms', () => {
    const owners = new Map<string, Set<string>>();
    for (const { name, id } of names) owners.set(normal(name), (owners.get(normal(name)) ?? new Set()).add(id));
    expect([...owners].filter(([, ids]) => ids.size > 1)).toEqual([]);
  });

  test('spells an id as it stands, and finds each row by it', () => {
    for (const row of ALGORITHMS) {
      expect(row.id).toMatch(/^[a-z0-9-]+$/);
      expect(algorithmById(row.id)).toBe(row);
    }
    expect(new Set(ALGORITHMS.map((row) => row.id)).size).toBe(ALGORITHMS.length);
  });

  test.each(['', ' ', 'des', 'aes-192', 'aes-512-gcm', 'ml-kem-769', 'constructor', '__proto__', 'rsa-1024', 'ed448'])(
    'knows no algorithm %j',
    (name) => {
      expect(() => resolveAlgorithm(name)).toThrow(failure('BAD_REQUEST'));
    },
  );

  test('holds every parameter set of FIPS 203, 204 and 205', () => {
    const standard = (prefix: string) => ALGORITHMS.filter((row) => row.standardName.startsWith(prefix)).length;
    expect([standard('ML-KEM-'), standard('ML-DSA-'), standard('SLH-DSA-')]).toEqual([3, 3, 12]);
  });

  test('gives a message budget to every cipher with a random 96-bit nonce, and to no other', () => {
    for (const row of ALGORITHMS) {
      expect(row.messageBudget).toBe(row.suite === 2 || row.suite === 3 ? 2 ** 32 : undefined);
    }
  });

  test('allows a context exactly for FIPS 204 and 205', () => {
    for (const row of ALGORITHMS) {
      expect(row.signatureContext === true).toBe(row.family === 'ml-dsa' || row.family === 'slh-dsa');
    }
  });
});
