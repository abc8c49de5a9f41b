/** A line that has no text to read, and why. */
export interface UnreadableLine {
  readonly problem: string;
  /** Without its line feed. */
  readonly bytes: number;
}

/** A line of an export: its text, or that it cannot be read. */
export type Line = string | UnreadableLine;

/** Several times the largest event that the service takes; what is longer is not kept in memory. */
const MOST_LINE_BYTES = 4 * 1024 * 1024;
const LINE_FEED = 0x0a;

/**
 * Cuts bytes into lines. A line ends at a line feed and nowhere else: what other programs take for the end of a line,
 * such as U+2028 or a carriage return, is text that anyone may have sent. Bytes that are not UTF-8 are a line that
 * cannot be read, and not another text.
 */
export class LineSplitter {
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  readonly #mostBytes: number;
  #pieces: Buffer[] = [];
  #bytes = 0;

  constructor(mostBytes: number = MOST_LINE_BYTES) {
    this.#mostBytes = mostBytes;
  }

  /** The lines that end in the next piece of the input. */
  *push(chunk: Buffer): Generator<Line> {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      this.#keep(chunk.subarray(start, end));
      yield this.#line();
      start = end + 1;
    }
    this.#keep(chunk.subarray(start));
  }

  /** What comes after the last line feed, `undefined` when nothing does. */
  end(): Line | undefined {
    return this.#bytes === 0 ? undefined : this.#line();
  }

  #keep(piece: Buffer): void {
    this.#bytes += piece.length;
    if (this.#bytes > this.#mostBytes) this.#pieces = [];
    else if (piece.length > 0) this.#pieces.push(piece);
  }

  #line(): Line {
    const [pieces, bytes] = [this.#pieces, this.#bytes];
    this.#pieces = [];
    this.#bytes = 0;
    if (bytes > this.#mostBytes)
      return { problem: `the line has ${bytes} bytes, more than any line of an export`, bytes };
    const [first, ...others] = pieces;
    try {
      return first === undefined ? '' : this.#decoder.decode(others.length === 0 ? first : Buffer.concat(pieces));
    } catch (error) {
      if (error instanceof TypeError) return { problem: 'the line is not UTF-8', bytes };
      throw error;
    }
  }
}

/** The lines of a stream of bytes, each without its line feed. */
export async function* linesOf(input: AsyncIterable<Buffer>): AsyncGenerator<Line> {
  const splitter = new LineSplitter();
  for await (const chunk of input) yield* splitter.push(chunk);
  const rest = splitter.end();
  if (rest !== undefined) yield rest;
}
