import { PgDialect } from 'drizzle-orm/pg-core';
import { DEFAULT_SCHEMA, type Names } from './names.ts';

/** Writes SQL for the store in a schema, where tables and statements name the default one. */
export function dialectFor({ schema }: Pick<Names, 'schema'>): PgDialect {
  const dialect = new PgDialect();
  // Replaced rather than overridden: drizzle hands the function on without its object. No table or column is called as the schema.
  dialect.escapeName = (name) => PgDialect.prototype.escapeName.call(dialect, name === DEFAULT_SCHEMA ? schema : name);
  return dialect;
}
