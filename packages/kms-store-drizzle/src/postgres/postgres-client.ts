/** What the store uses of a client of postgres.js, the `sql` that `postgres()` answers. */
export interface PostgresClient {
  readonly options: object;
  begin(...work: never[]): Promise<unknown>;
  unsafe(text: string, ...rest: never[]): PromiseLike<unknown>;
}
