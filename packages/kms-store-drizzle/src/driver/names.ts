import { createHash } from 'node:crypto';
import { KmsError } from '@qnsp/kms-core';

/** The schema of a store that was given none, and the name by which the code and the migrations call any schema. */
export const DEFAULT_SCHEMA = 'kms';

/** Short enough that what is named after it fits into the 63 bytes of an identifier. */
const SCHEMA = /^[a-z_][a-z0-9_]{0,40}$/;
/** What belongs to PostgreSQL or to everybody. */
const TAKEN = /^(?:pg_.*|information_schema|public|drizzle)$/;

/** How one store calls what it has in a database, and on the server of it. Stores in two schemas have nothing in common. */
export interface Names {
  readonly schema: string;
  /** The role that units of work take: it owns nothing, so that row-level security binds it. */
  readonly role: string;
  /** On it the triggers of the migrations announce changes, and nodes their marks. */
  readonly channel: string;
  /** The table that says which migrations were applied. That of the default schema is where drizzle-kit, too, looks for it. */
  readonly journal: { readonly schema: string; readonly table: string };
  /** Numbers for advisory locks, which no other user of the database locks. */
  readonly locks: { readonly migrations: string; readonly fleet: string; readonly roots: string };
}

/**
 * The names of the store in a schema.
 *
 * @throws KmsError `BAD_REQUEST` for a name that needs quotes, is too long, or belongs to somebody else.
 */
export function namesIn(schema: string = DEFAULT_SCHEMA): Names {
  if (!SCHEMA.test(schema) || TAKEN.test(schema))
    throw new KmsError(
      'BAD_REQUEST',
      'The name of the schema must have at most 41 characters, which are lower-case letters, digits and _ and begin with no ' +
        'digit, and must be neither public, drizzle nor one of PostgreSQL itself.',
    );
  const isDefault = schema === DEFAULT_SCHEMA;
  const suffix = isDefault ? '' : `_${schema}`;
  const lock = (what: string) => lockNumber(isDefault ? `qnsp-kms ${what}` : `qnsp-kms ${what} ${schema}`);
  return {
    schema,
    role: `kms_app${suffix}`,
    channel: `kms_changes${suffix}`,
    journal: { schema: isDefault ? 'drizzle' : schema, table: 'kms_migrations' },
    locks: { migrations: lock('migrations'), fleet: lock('fleet'), roots: lock('roots') },
  };
}

/** The first 52 bits of the SHA-256 of a text. */
function lockNumber(text: string): string {
  return BigInt(`0x${createHash('sha256').update(text).digest('hex').slice(0, 13)}`).toString();
}
