/** What goes out to a request, before it takes the form that the server below wants. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** In place of a body, its pieces: they are asked for as the client takes them, and the length is not stated. */
  readonly rest?: AsyncIterable<string> | undefined;
}
