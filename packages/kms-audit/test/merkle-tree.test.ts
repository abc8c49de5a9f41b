import { createHash } from 'node:crypto';
import { auditPath, merkleRoot, rootOfPath } from '../src/merkle-tree.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';

const sha3 = (...parts: readonly Uint8Array[]) => createHash('sha3-256').update(Buffer.concat(parts)).digest();
const LEAF = Buffer.of(0);
const NODE = Buffer.of(1);

/** MTH of RFC 6962, section 2.1, word for word. */
function mth(data: readonly Buffer[]): Buffer {
  const [only] = data;
  if (only === undefined) return sha3();
  if (data.length === 1) return sha3(LEAF, only);
  const k = largestPowerBelow(data.length);
  return sha3(NODE, mth(data.slice(0, k)), mth(data.slice(k)));
}

/** PATH of RFC 6962, section 2.1.1, word for word. */
function path(m: number, data: readonly Buffer[]): Buffer[] {
  if (data.length === 1) return [];
  const k = largestPowerBelow(data.length);
  return m < k
    ? [...path(m, data.slice(0, k)), mth(data.slice(k))]
    : [...path(m - k, data.slice(k)), mth(data.slice(0, k))];
}

function largestPowerBelow(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

const lists = fc.array(
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  { minLength: 1, maxLength: 70 },
);

test('the root is that of RFC 6962 for every size', () => {
  expect(merkleRoot([]).toString('hex')).toBe('a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a');
  fc.assert(
    fc.property(lists, (data) => {
      expect(merkleRoot(data)).toEqual(mth(data));
    }),
  );
});

test('every entry has the path of RFC 6962, and it leads to the root', () => {
  fc.assert(
    fc.property(lists, fc.nat(), (data, any) => {
      const index = any % data.length;
      const found = auditPath(data, index);
      expect(found).toEqual(path(index, data));
      expect(rootOfPath(data[index] ?? Buffer.of(), index, data.length, found)).toEqual(mth(data));
    }),
  );
});

test('a path with another entry, place, size or hash does not lead to the root', () => {
  fc.assert(
    fc.property(lists, fc.nat(), fc.nat({ max: 255 }), (data, any, change) => {
      const index = any % data.length;
      const entry = data[index] ?? Buffer.of();
      const right = auditPath(data, index);
      const root = mth(data);
      expect(rootOfPath(Buffer.concat([entry, Buffer.of(change)]), index, data.length, right)).not.toEqual(root);
      expect(rootOfPath(entry, data.length, data.length, right)).toBeUndefined();
      expect(rootOfPath(entry, index, data.length, [...right, root])).not.toEqual(root);
      if (right.length > 0) {
        expect(rootOfPath(entry, index, data.length, right.slice(1))).not.toEqual(root);
        expect(rootOfPath(entry, index, data.length, right.toReversed().with(0, sha3(root)))).not.toEqual(root);
      }
    }),
  );
});

test('a leaf is not taken for a node', () => {
  const [a, b] = [sha3(Buffer.from('a')), sha3(Buffer.from('b'))];
  expect(merkleRoot([Buffer.concat([sha3(LEAF, a), sha3(LEAF, b)])])).not.toEqual(merkleRoot([a, b]));
});
