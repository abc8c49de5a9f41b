/** A range of addresses, both ends in it. Each end is an IPv6 address as a string: its eight groups are its code units. */
type Range = readonly [low: string, high: string];

/**
 * Addresses and CIDR blocks, parsed once and then searched. An IPv4 address is the IPv6 address that it maps to (RFC 4291,
 * section 2.5.5.2), so that one matches the other, as `BlockList` of Node has it. Making a `BlockList` of many blocks takes
 * a hundred times as long, and a list of keys needs the policy of each.
 */
export class AddressSet {
  /** What it was made of, as it was given. */
  readonly blocks: readonly string[];
  /** Apart from each other, in ascending order. */
  readonly #ranges: readonly Range[];

  constructor(blocks: readonly string[]) {
    this.blocks = blocks;
    const ranges = blocks
      .map(rangeOf)
      .filter((range) => range !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    const apart: Range[] = [];
    for (const [low, high] of ranges) {
      const before = apart.at(-1);
      if (before === undefined || low > before[1]) apart.push([low, high]);
      else if (high > before[1]) apart[apart.length - 1] = [before[0], high];
    }
    this.#ranges = apart;
  }

  /** Whether an address is in the set. An unknown address is in none. */
  has(address: string | null): boolean {
    const text = address === null ? undefined : textOf(address);
    if (text === undefined) return false;
    let [from, to] = [0, this.#ranges.length];
    while (from < to) {
      const middle = (from + to) >>> 1;
      const [low, high] = this.#ranges[middle] ?? ['', ''];
      if (text < low) to = middle;
      else if (text > high) from = middle + 1;
      else return true;
    }
    return false;
  }

  /**
   * Whether all of another set is in this one. A block of the other must be in blocks of this one that overlap: two that only border
   * on each other are taken for two.
   */
  covers(other: AddressSet): boolean {
    return other.#ranges.every(([low, high]) => this.#ranges.some(([from, to]) => from <= low && high <= to));
  }
}

/** Whether the text is an address or a CIDR block. */
export function isAddressBlock(block: string): boolean {
  return parseBlock(block) !== undefined;
}

const MAPPED_BITS = 96;

function parseBlock(block: string): { readonly groups: Uint16Array; readonly prefix: number } | undefined {
  const slash = block.indexOf('/');
  const base = slash < 0 ? block : block.slice(0, slash);
  const groups = groupsOf(base);
  if (groups === undefined) return undefined;
  const isIpv4 = !base.includes(':');
  const bits = isIpv4 ? 32 : 128;
  const length = slash < 0 ? undefined : block.slice(slash + 1);
  const prefix = length === undefined ? bits : /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN;
  // Includes NaN.
  if (!(prefix <= bits)) return undefined;
  return { groups, prefix: isIpv4 ? MAPPED_BITS + prefix : prefix };
}

function rangeOf(block: string): Range | undefined {
  const parsed = parseBlock(block);
  if (parsed === undefined) return undefined;
  const { groups: low, prefix } = parsed;
  const high = low.slice();
  for (let index = prefix >>> 4; index < GROUPS; index += 1) {
    // The bits of the group that the prefix covers.
    const covered = Math.max(0, prefix - index * 16);
    const mask = (0xffff << (16 - covered)) & 0xffff;
    low[index] = (low[index] ?? 0) & mask;
    high[index] = (high[index] ?? 0) | (~mask & 0xffff);
  }
  return [unitsOf(low), unitsOf(high)];
}

const GROUPS = 8;

/** Groups as a string of as many code units, which compares as their numbers do. */
function unitsOf([a, b, c, d, e, f, g, h]: Uint16Array): string {
  return String.fromCharCode(a ?? 0, b ?? 0, c ?? 0, d ?? 0, e ?? 0, f ?? 0, g ?? 0, h ?? 0);
}

/** The last address that was asked for: a policy asks for the same one in each of its statements. */
let asked: { readonly address: string; readonly text: string | undefined } | undefined;

function textOf(address: string): string | undefined {
  if (asked?.address === address) return asked.text;
  const groups = groupsOf(address);
  const text = groups && unitsOf(groups);
  asked = { address, text };
  return text;
}

/**
 * The eight groups of 16 bits of an address, `undefined` for what is none. A policy may hold thousands of addresses, for
 * which `isIP` of Node takes twenty milliseconds; a test compares the two.
 */
function groupsOf(address: string): Uint16Array | undefined {
  const groups = new Uint16Array(GROUPS);
  if (address.includes(':')) return writeIpv6(groups, address) ? groups : undefined;
  groups[5] = 0xffff;
  return writeIpv4(groups, 6, address) ? groups : undefined;
}

/** RFC 4291, section 2.2, with the zone of RFC 4007, section 11, which says by which interface, not which address. */
function writeIpv6(groups: Uint16Array, address: string): boolean {
  const zone = address.indexOf('%');
  if (zone >= 0 && !/^[\w.:-]+$/.test(address.slice(zone + 1))) return false;
  const end = zone < 0 ? address.length : zone;
  let [count, at, gap] = [0, 0, -1];
  if (address.startsWith('::')) [gap, at] = [0, 2];
  while (at < end) {
    const next = address.indexOf(':', at);
    const stop = next < 0 || next > end ? end : next;
    if (count < GROUPS - 1 && stop === end && address.slice(at, stop).includes('.')) {
      if (!writeIpv4(groups, count, address.slice(at, stop))) return false;
      count += 2;
      at = end;
      break;
    }
    const group = hexadecimal(address, at, stop);
    if (count === GROUPS || group < 0) return false;
    groups[count] = group;
    count += 1;
    at = stop;
    if (stop === end) break;
    at += 1;
    if (address[at] === ':') {
      if (gap >= 0) return false;
      gap = count;
      at += 1;
    } else if (at === end) return false;
  }
  if (gap < 0) return count === GROUPS;
  if (count === GROUPS) return false;
  const moved = count - gap;
  groups.copyWithin(GROUPS - moved, gap, count);
  groups.fill(0, gap, GROUPS - moved);
  return true;
}

/** The value of up to four hexadecimal digits, -1 for anything else. */
function hexadecimal(text: string, from: number, to: number): number {
  if (to === from || to - from > 4) return -1;
  let value = 0;
  for (let at = from; at < to; at += 1) {
    const code = text.charCodeAt(at) | 0x20;
    const digit = code >= 0x61 && code <= 0x66 ? code - 0x57 : isDigit(text.charCodeAt(at)) ? code - 0x30 : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

/** Writes the two groups of four decimal bytes without leading zeros. */
function writeIpv4(groups: Uint16Array, at: number, address: string): boolean {
  let [whole, byte, digits, dots] = [0, 0, 0, 0];
  for (let index = 0; index < address.length; index += 1) {
    const code = address.charCodeAt(index);
    if (code === 0x2e) {
      if (digits === 0) return false;
      dots += 1;
      whole = whole * 256 + byte;
      [byte, digits] = [0, 0];
      continue;
    }
    if (!isDigit(code) || (digits > 0 && byte === 0)) return false;
    byte = byte * 10 + code - 0x30;
    digits += 1;
    if (byte > 255) return false;
  }
  if (dots !== 3 || digits === 0) return false;
  whole = whole * 256 + byte;
  groups[at] = whole / 0x10000;
  groups[at + 1] = whole % 0x10000;
  return true;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}
