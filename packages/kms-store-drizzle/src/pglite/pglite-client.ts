/** What the store uses of a `PGlite`. */
export interface PgliteClient {
  readonly closed: boolean;
  query(text: string, ...rest: never[]): Promise<unknown>;
  transaction(work: never): Promise<unknown>;
  listen(channel: string, ...rest: never[]): Promise<unknown>;
}
