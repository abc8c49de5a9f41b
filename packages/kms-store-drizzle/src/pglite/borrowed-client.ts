import type { PGlite, QueryOptions, Transaction } from '@electric-sql/pglite';
import { READERS, textOf } from '../driver/value-types.ts';
import type { PgliteClient } from './pglite-client.ts';

const WRITERS = Object.fromEntries(Object.keys(READERS).map((type) => [type, textOf]));

/** The application's PGlite as the store sees it: with the values of the store, whatever the application made it read and write. */
export function withOwnValues(client: PgliteClient): PGlite {
  // A PGlite, of which the rest is not used: the types of two releases are not assignable to one another.
  const pglite = client as unknown as PGlite;
  const parts: Pick<PGlite, 'query' | 'transaction' | 'listen' | 'closed'> = {
    query: (text, params, options) => pglite.query(text, params, ownValues(options)),
    transaction: (work) => pglite.transaction((tx) => work(inTransaction(tx))),
    listen: (channel, onNotify) => pglite.listen(channel, onNotify),
    get closed() {
      return pglite.closed;
    },
  };
  // All that the driver and drizzle call.
  return parts as PGlite;
}

function inTransaction(tx: Transaction): Transaction {
  return { ...tx, query: (text, params, options) => tx.query(text, params, ownValues(options)) };
}

function ownValues(options: QueryOptions = {}): QueryOptions {
  return {
    ...options,
    parsers: { ...options.parsers, ...READERS },
    serializers: { ...options.serializers, ...WRITERS },
  };
}
