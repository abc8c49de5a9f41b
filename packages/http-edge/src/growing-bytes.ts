const FIRST_BYTES = 4096;

/**
 * Bytes that come in pieces, as one buffer that grows: a piece is no longer held once it is added, so what this takes is at
 * most about twice its bytes, however small the pieces were. A buffer for each piece takes a hundred times a piece of one byte.
 */
export class GrowingBytes {
  /** The only piece so far, which nobody copied. */
  #single: Buffer | undefined;
  #bytes: Buffer | undefined;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  add(piece: Buffer): void {
    const length = this.#length + piece.length;
    if (this.#length === 0) this.#single = piece;
    else {
      const bytes = this.#roomFor(length);
      piece.copy(bytes, this.#length);
    }
    this.#length = length;
  }

  /** All bytes; nothing more may be added. */
  take(): Buffer {
    return this.#single ?? this.#bytes?.subarray(0, this.#length) ?? Buffer.alloc(0);
  }

  #roomFor(length: number): Buffer {
    const held = this.#bytes;
    if (held !== undefined && held.length >= length) return held;
    // Not from the pool of small buffers, which a slice would keep.
    const bytes = Buffer.allocUnsafeSlow(Math.max(length, 2 * (held?.length ?? 0), FIRST_BYTES));
    (this.#single ?? held)?.copy(bytes, 0, 0, this.#length);
    this.#single = undefined;
    this.#bytes = bytes;
    return bytes;
  }
}
