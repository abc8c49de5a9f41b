import { hash } from 'node:crypto';
import { HASH_ALGORITHM } from './event-hash.ts';

// RFC 6962, section 2.1, with SHA3-256. The prefixes keep a leaf from being taken for a node.
const LEAF = Uint8Array.of(0x00);
const NODE = Uint8Array.of(0x01);

/** One level of the tree above another: pairs are hashed together, a last one without a partner moves up unchanged. */
function levelAbove(level: readonly Buffer[]): Buffer[] {
  const above: Buffer[] = [];
  for (let index = 0; index < level.length; index += 2) {
    const [left, right] = level.slice(index, index + 2);
    if (left !== undefined) above.push(right === undefined ? left : nodeHash(left, right));
  }
  return above;
}

/** The levels of the tree over the given data, the leaves first and the root alone in the last one. */
function levelsOf(data: readonly Uint8Array[]): Buffer[][] {
  const levels = [data.map(leafHash)];
  for (let top = levels[0]; top !== undefined && top.length > 1; top = levels.at(-1)) levels.push(levelAbove(top));
  return levels;
}

/** The hash of one piece of data as a leaf: `H(0x00 ‖ data)`. */
function leafHash(data: Uint8Array): Buffer {
  return hash(HASH_ALGORITHM, Buffer.concat([LEAF, data]), 'buffer');
}

/** The hash of a node: `H(0x01 ‖ left ‖ right)`. */
function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  return hash(HASH_ALGORITHM, Buffer.concat([NODE, left, right]), 'buffer');
}

/** The Merkle tree hash of a list (RFC 6962, section 2.1): 32 bytes. The hash of an empty list is `H("")`. */
export function merkleRoot(data: readonly Uint8Array[]): Buffer {
  return levelsOf(data).at(-1)?.[0] ?? hash(HASH_ALGORITHM, '', 'buffer');
}

/** The root of a list that comes entry by entry. It holds no more than one hash for each level of the tree. */
export class GrowingRoot {
  /** The root of a whole tree of `2^level` leaves at each level that has one: the places of the ones in the number of leaves. */
  readonly #whole: (Buffer | undefined)[] = [];

  add(data: Uint8Array): void {
    let carried = leafHash(data);
    let level = 0;
    for (let left = this.#whole[level]; left !== undefined; left = this.#whole[level]) {
      carried = nodeHash(left, carried);
      this.#whole[level] = undefined;
      level += 1;
    }
    this.#whole[level] = carried;
  }

  /** As {@link merkleRoot} of everything that was added. */
  root(): Buffer {
    let root: Buffer | undefined;
    for (const left of this.#whole) if (left !== undefined) root = root === undefined ? left : nodeHash(left, root);
    return root ?? hash(HASH_ALGORITHM, '', 'buffer');
  }
}

/**
 * The audit path of one entry (RFC 6962, section 2.1.1): what its leaf must be hashed with, from the leaf upwards.
 *
 * @throws RangeError when there is no such entry.
 */
export function auditPath(data: readonly Uint8Array[], index: number): Buffer[] {
  if (!Number.isInteger(index) || index < 0 || index >= data.length)
    throw new RangeError(`There is no entry ${index} among ${data.length}.`);
  let place = index;
  const path: Buffer[] = [];
  for (const level of levelsOf(data).slice(0, -1)) {
    const sibling = level[place % 2 === 0 ? place + 1 : place - 1];
    if (sibling !== undefined) path.push(sibling);
    place = Math.floor(place / 2);
  }
  return path;
}

/**
 * The root that an audit path leads to (RFC 9162, section 2.1.3.2), `undefined` if the path does not fit a tree of that
 * size.
 */
export function rootOfPath(
  data: Uint8Array,
  index: number,
  size: number,
  path: readonly Uint8Array[],
): Buffer | undefined {
  if (!Number.isSafeInteger(size) || !Number.isSafeInteger(index) || index < 0 || index >= size) return undefined;
  let place = index;
  let last = size - 1;
  let reached = leafHash(data);
  for (const sibling of path) {
    if (last === 0) return undefined;
    if (place % 2 === 1 || place === last) {
      reached = nodeHash(sibling, reached);
      // A last entry without a partner has gone up some levels as it was.
      while (place % 2 === 0 && place !== 0) [place, last] = [Math.floor(place / 2), Math.floor(last / 2)];
    } else {
      reached = nodeHash(reached, sibling);
    }
    [place, last] = [Math.floor(place / 2), Math.floor(last / 2)];
  }
  return last === 0 ? reached : undefined;
}
