import type { Dialect } from './dialect.ts';
import type { RequestHead } from './request-head.ts';

/** The dialects that share a port. The last one has whatever no other claims. */
export type Dialects = readonly [...others: Dialect[], last: Dialect];

/** The dialect of a request: the first that claims it. */
export function dialectOf(dialects: Dialects, incoming: RequestHead): Dialect {
  for (const dialect of dialects) if (dialect.claims(incoming)) return dialect;
  return lastOf(dialects);
}

/** The only dialect of a port, which every connection to it speaks; `undefined` where there are several. */
export function onlyDialectOf(dialects: Dialects): Dialect | undefined {
  return dialects.length === 1 ? lastOf(dialects) : undefined;
}

/** The dialect that has whatever no other claims. */
export function lastOf(dialects: Dialects): Dialect {
  // There is one at least.
  return dialects[dialects.length - 1] as Dialect;
}
