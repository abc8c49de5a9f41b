/** What JSON can hold, as a key's metadata may. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };

/** Facts about a key for people and programs; the service only keeps them. */
export type Metadata = { readonly [name: string]: JsonValue };
