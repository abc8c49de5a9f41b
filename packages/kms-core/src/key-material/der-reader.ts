import { demand } from './refused-material.ts';

export const TAG = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  objectIdentifier: 0x06,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

/** The tag of `[number]` before a primitive or a constructed content. */
export function contextTag(number: 0 | 1, kind: 'primitive' | 'constructed'): number {
  return (kind === 'primitive' ? 0x80 : 0xa0) + number;
}

/**
 * Reads DER (X.690, section 10) and nothing else: definite lengths in the fewest octets, the shortest integers, bit
 * strings of whole octets. Each element is asked for by its tag, so nothing that is not understood is ignored; {@link
 * DerReader.end} refuses what is left.
 */
export class DerReader {
  readonly #bytes: Buffer;
  /** What the bytes are, for messages. */
  readonly #what: string;
  #at = 0;

  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
  }

  /** Whether the next element has this tag. */
  isNext(tag: number): boolean {
    return this.#bytes[this.#at] === tag;
  }

  /** The content of the next element; a view of the bytes that are read. */
  content(tag: number, what: string): Buffer {
    demand(this.isNext(tag), `${this.#what} has no ${what} where it belongs`);
    this.#at += 1;
    const length = this.#length(what);
    demand(length <= this.#bytes.length - this.#at, `the ${what} is cut off`);
    const content = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return content;
  }

  /** What is inside the next element. */
  inside(tag: number, what: string): DerReader {
    return new DerReader(this.content(tag, what), `the ${what}`);
  }

  /** A small non-negative integer. */
  smallInteger(what: string): number {
    const magnitude = this.unsigned(what);
    demand(magnitude.length <= 1, `the ${what} is too large`);
    return magnitude[0] ?? 0;
  }

  /** The magnitude of a non-negative integer, without leading zeros; empty for zero. */
  unsigned(what: string): Buffer {
    const content = this.content(TAG.integer, what);
    const [first = 0x80, second = 0x80] = content;
    demand(first < 0x80, `the ${what} is empty or negative`);
    // X.690, section 8.3.2.
    demand(first !== 0 || content.length === 1 || second >= 0x80, `the ${what} is not in the fewest octets (X.690)`);
    return first === 0 ? content.subarray(1) : content;
  }

  /** The octets of a bit string. No key has a number of bits that is not a multiple of eight. */
  bits(tag: number, what: string): Buffer {
    const content = this.content(tag, what);
    demand(content[0] === 0, `the ${what} has unused bits`);
    return content.subarray(1);
  }

  /** An object identifier as hexadecimal. */
  identifier(what: string): string {
    const content = this.content(TAG.objectIdentifier, what);
    // X.690, section 8.19.2: no padding; the last octet ends the last arc.
    const isDer = content.length > 0 && content.every((octet, at) => octet !== 0x80 || isInsideArc(content, at));
    demand(isDer && (content.at(-1) ?? 0x80) < 0x80, `the ${what} is not an object identifier in DER (X.690)`);
    return content.toString('hex');
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** @throws RefusedMaterial when anything is left. */
  end(): void {
    demand(
      this.isAtEnd,
      `${this.#what} holds more than it should: something that is not understood, or bytes after it`,
    );
  }

  #length(what: string): number {
    const first = this.#octet(what);
    if (first < 0x80) return first;
    demand(first !== 0x80, `the ${what} has an indefinite length, which is not DER (X.690)`);
    const octets = first & 0x7f;
    // No key has 16 MiB.
    demand(octets <= 3, `the ${what} is too long`);
    let length = 0;
    for (let read = 0; read < octets; read += 1) length = length * 0x100 + this.#octet(what);
    // X.690, section 10.1.
    const fewest = length < 0x80 ? 0 : length < 0x100 ? 1 : length < 0x10000 ? 2 : 3;
    demand(octets === fewest, `the length of the ${what} is not in the fewest octets, which is not DER (X.690)`);
    return length;
  }

  #octet(what: string): number {
    const octet = this.#bytes[this.#at];
    demand(octet !== undefined, `the ${what} is cut off`);
    this.#at += 1;
    return octet;
  }
}

/** Whether an octet continues an arc that an earlier octet began. */
function isInsideArc(content: Uint8Array, at: number): boolean {
  return (content[at - 1] ?? 0) >= 0x80;
}
