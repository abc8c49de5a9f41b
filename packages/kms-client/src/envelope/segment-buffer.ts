/**
 * Cuts chunks of any size into segments. A segment is handed out only when more data follows it, since the last one is
 * sealed differently. It is valid until the next one is asked for: all share one buffer, since 1 MiB for each would
 * become garbage faster than it is collected.
 */
export class SegmentBuffer {
  readonly #sizeOf: (index: number) => number;
  readonly #buffer: Uint8Array<ArrayBuffer>;
  #index = 0;
  #filled = 0;
  #segment: Uint8Array<ArrayBuffer>;

  constructor(sizeOf: (index: number) => number) {
    this.#sizeOf = sizeOf;
    this.#buffer = new Uint8Array(Math.max(sizeOf(0), sizeOf(1)));
    this.#segment = this.#buffer.subarray(0, sizeOf(0));
  }

  /** Takes a chunk and returns the segments that it completes, except for the last one. */
  *push(chunk: Uint8Array): Generator<Uint8Array<ArrayBuffer>, void, void> {
    let at = 0;
    while (at < chunk.length) {
      if (this.#filled === this.#segment.length) {
        yield this.#segment;
        this.#index += 1;
        this.#segment = this.#buffer.subarray(0, this.#sizeOf(this.#index));
        this.#filled = 0;
      }
      const piece = chunk.subarray(at, at + this.#segment.length - this.#filled);
      this.#segment.set(piece, this.#filled);
      this.#filled += piece.length;
      at += piece.length;
    }
  }

  /** What is left when no more data comes: the last segment. */
  last(): Uint8Array<ArrayBuffer> {
    return this.#segment.subarray(0, this.#filled);
  }
}
