import type { MigrationMeta } from 'drizzle-orm/migrator';
import { DEFAULT_SCHEMA, type Names } from '../driver/names.ts';

const CREATE_SCHEMA = `CREATE SCHEMA "${DEFAULT_SCHEMA}";`;

/**
 * A migration as it is for the store in a schema: the migrations are written for the default one. It keeps its hash, by which a
 * journal knows it. Where a schema is not the default one it is there before its first migration.
 */
export function inSchema(migration: MigrationMeta, names: Names): MigrationMeta {
  if (names.schema === DEFAULT_SCHEMA) return migration;
  const statements = migration.sql.filter((statement) => statement.trim() !== CREATE_SCHEMA);
  return { ...migration, sql: statements.map((statement) => statementIn(statement, names)) };
}

/**
 * In quotes, since a name may be a word of SQL. Settings, such as `kms.scope`, are called the same for every schema; the texts of which
 * advisory locks are the hashes, `qnsp-kms …`, are not.
 */
function statementIn(statement: string, { schema, role, channel, journal }: Names): string {
  return statement
    .replaceAll('"drizzle"', `"${journal.schema}"`)
    .replaceAll(/\bkms_app\b/g, role)
    .replaceAll(/\bkms_changes\b/g, channel)
    .replaceAll(`'qnsp-kms `, `'qnsp-kms ${schema} `)
    .replaceAll(`"${DEFAULT_SCHEMA}"`, `"${schema}"`)
    .replaceAll(/(?<!(?:current_setting|set_config)\('{1,2})\bkms\./g, `"${schema}".`);
}
