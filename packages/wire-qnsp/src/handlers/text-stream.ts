/** An answer that is a text of any length, whose pieces are made as the client takes them. */
export class TextStream {
  readonly pieces: AsyncIterable<string>;

  constructor(pieces: AsyncIterable<string>) {
    this.pieces = pieces;
  }
}
