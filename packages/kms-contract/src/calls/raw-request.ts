/** A request as it came: nothing in it is trusted. */
export interface RawRequest {
  /** The parameters of the path by name. */
  readonly params?: Readonly<Record<string, string | undefined>>;
  /** The query by name; a name that is given more than once has a list. */
  readonly query?: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The body as JSON parsed it; `undefined` for no bytes at all. */
  readonly body?: unknown;
  /** The headers by name in lower case. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>;
}
