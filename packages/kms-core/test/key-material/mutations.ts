import fc from 'fast-check';
import { derElement } from '../../src/key-material/der-writer.ts';

/** One change of a container: of its octets, or of an element in it with every length around it put right. */
type Edit =
  | {
      readonly kind: 'octet';
      readonly at: number;
      readonly how: 'flip' | 'set' | 'insert' | 'remove';
      readonly value: number;
    }
  | { readonly kind: 'end'; readonly how: 'cut' | 'append'; readonly count: number }
  | {
      readonly kind: 'element';
      readonly which: number;
      readonly how: (typeof CHANGES)[number];
      readonly value: number;
    };

const CHANGES = [
  'empty',
  'zeros',
  'ones',
  'value',
  'lead-zero',
  'drop-first',
  'append',
  'increase',
  'remove',
  'repeat',
  'swap',
  'tag',
  'long-length',
  'indefinite',
  'null-inside',
] as const;

/**
 * Changes of a container.
 *
 * @param head how many octets from the front count as structure, where most of the changes of single octets fall
 * @param inBody the share of those that fall anywhere, in per cent
 */
export function edits(head: number, inBody: number): fc.Arbitrary<readonly Edit[]> {
  const octet = fc.integer({ min: 0, max: 255 });
  const at = fc.oneof(
    { weight: 100 - inBody, arbitrary: fc.nat(head - 1) },
    { weight: inBody, arbitrary: fc.nat(2 ** 16) },
  );
  const how = fc.constantFrom('flip', 'set', 'insert', 'remove');
  const edit = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('octet'), at, how, value: octet }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('end'),
        how: fc.constantFrom('cut', 'append'),
        count: fc.integer({ min: 1, max: 9 }),
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('element'),
        which: fc.nat(40),
        how: fc.constantFrom(...CHANGES),
        value: octet,
      }),
    },
  );
  return fc.array(edit, { minLength: 1, maxLength: 2 });
}

export function apply(container: Uint8Array, changes: readonly Edit[]): Buffer {
  return changes.reduce<Buffer>((bytes, edit) => applyOne(bytes, edit), Buffer.from(container));
}

function applyOne(bytes: Buffer, edit: Edit): Buffer {
  switch (edit.kind) {
    case 'octet': {
      const at = edit.at % Math.max(bytes.length, 1);
      const old = bytes[at] ?? 0;
      const rest = bytes.subarray(at + 1);
      const middle = {
        flip: [old ^ (1 << (edit.value % 8))],
        set: [edit.value],
        insert: [edit.value, old],
        remove: [],
      }[edit.how];
      return Buffer.concat([bytes.subarray(0, at), Buffer.from(middle), rest]);
    }
    case 'end':
      return edit.how === 'cut'
        ? bytes.subarray(0, Math.max(0, bytes.length - edit.count))
        : Buffer.concat([bytes, Buffer.alloc(edit.count, edit.count === 1 ? 0 : 0x30)]);
    case 'element': {
      const root = parse(bytes);
      if (root === null) return bytes;
      const nodes = flatten(root);
      const node = nodes[edit.which % nodes.length];
      return node === undefined ? bytes : encode(root, node, edit);
    }
  }
}

/** The container with every length in the fewest octets; null for what is not one element of DER. */
export function inFewestOctets(container: Buffer): Buffer | null {
  const root = parse(container);
  return root === null ? null : rewrite(root);
}

function rewrite({ tag, prefix, content, children }: Node): Buffer {
  return children === null ? derElement(tag, content) : derElement(tag, prefix, ...children.map(rewrite));
}

interface Node {
  readonly tag: number;
  /** Before the children: the count of unused bits of a bit string. */
  readonly prefix: Buffer;
  readonly content: Buffer;
  readonly children: readonly Node[] | null;
}

/** Takes DER apart, also where an octet or bit string has DER in it; null for what is not DER throughout. */
function parse(bytes: Buffer): Node | null {
  const all = parseAll(bytes);
  return all?.length === 1 ? (all[0] ?? null) : null;
}

function parseAll(bytes: Buffer): readonly Node[] | null {
  const nodes: Node[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes[at] ?? 0;
    let length = bytes[at + 1] ?? 0x80;
    let start = at + 2;
    if (length >= 0x80) {
      const octets = length & 0x7f;
      if (octets === 0 || octets > 2 || start + octets > bytes.length) return null;
      length = bytes.readUIntBE(start, octets);
      start += octets;
    }
    if (start + length > bytes.length) return null;
    const content = bytes.subarray(start, start + length);
    const prefix = tag === 0x03 ? content.subarray(0, 1) : content.subarray(0, 0);
    const inside = (tag & 0x20) !== 0 || ((tag === 0x03 || tag === 0x04) && content[prefix.length] === 0x30);
    nodes.push({ tag, prefix, content, children: inside ? parseAll(content.subarray(prefix.length)) : null });
    at = start + length;
  }
  return nodes;
}

function flatten(node: Node): readonly Node[] {
  return [node, ...(node.children ?? []).flatMap(flatten)];
}

type ElementEdit = Extract<Edit, { kind: 'element' }>;

function encode(node: Node, changed: Node, edit: ElementEdit): Buffer {
  if (node === changed) return change(node, edit);
  if (node.children === null) return derElement(node.tag, node.content);
  const children = node.children.map((child) => encode(child, changed, edit));
  const at = node.children.indexOf(changed);
  if (at >= 0 && edit.how === 'swap') children.splice(at, 2, ...children.slice(at, at + 2).toReversed());
  return derElement(node.tag, node.prefix, ...children);
}

function change({ tag, content }: Node, { how, value }: ElementEdit): Buffer {
  const same = derElement(tag, content);
  switch (how) {
    case 'empty':
      return derElement(tag);
    case 'zeros':
      return derElement(tag, Buffer.alloc(content.length));
    case 'ones':
      return derElement(tag, Buffer.alloc(content.length, 0xff));
    case 'value':
      return derElement(tag, Buffer.of(value % 8));
    case 'lead-zero':
      return derElement(tag, Buffer.of(0), content);
    case 'drop-first':
      return derElement(tag, content.subarray(1));
    case 'append':
      return derElement(tag, content, Buffer.of(value));
    case 'increase':
      return derElement(tag, content.subarray(0, -1), Buffer.of(((content.at(-1) ?? 0) + 1 + (value % 4)) & 0xff));
    case 'remove':
      return Buffer.alloc(0);
    case 'repeat':
      return Buffer.concat([same, same]);
    case 'swap':
      return same;
    case 'tag':
      return derElement(value, content);
    case 'long-length':
      return Buffer.concat([Buffer.of(tag, 0x83, 0, content.length >> 8, content.length & 0xff), content]);
    case 'indefinite':
      return Buffer.concat([Buffer.of(tag | 0x20, 0x80), content, Buffer.of(0, 0)]);
    case 'null-inside':
      return derElement(tag, content, Buffer.of(5, 0));
  }
}
