import { fileURLToPath } from 'node:url';
import { KmsError } from '@qnsp/kms-core';
import { type SQL, sql } from 'drizzle-orm';
import { type MigrationMeta, readMigrationFiles } from 'drizzle-orm/migrator';
import type { Db, Driver } from '../driver/driver.ts';
import type { PostgresStoreOptions } from '../postgres/options.ts';
import { toStoreError } from '../driver/store-errors.ts';
import type { Names } from '../driver/names.ts';
import { ensureAppRole, requireAppRole } from './app-role.ts';
import { inSchema } from './in-schema.ts';

const OLDEST_SERVER = 15;
const LOCK_LIMIT_SECONDS = 60;

/**
 * Brings a database to the state that this version needs, or refuses it. Any number of processes may do so at the same
 * time: one applies the migrations, in one transaction, while the others wait.
 *
 * @param migrations what this version knows; a test of upgrades gives only the first ones
 * @throws KmsError `INTERNAL_ERROR` when the database is newer than this version, when migrations are pending and may
 *   not be applied, or when the connecting user lacks a right.
 */
export async function prepareDatabase(
  driver: Driver,
  mode: PostgresStoreOptions['migrate'],
  migrations: readonly MigrationMeta[] = allMigrations(),
): Promise<void> {
  const { names } = driver;
  await driver.asOwner(async (db) => {
    try {
      await requireServer(db);
      if (mode === 'off') await requireMigrated(db, names, migrations);
      else await migrate(db, names, migrations);
    } catch (error) {
      throw toStoreError(error);
    }
  });
}

/** The migrations of this version, oldest first. */
export function allMigrations(): readonly MigrationMeta[] {
  return readMigrationFiles({ migrationsFolder: fileURLToPath(new URL('../../migrations', import.meta.url)) });
}

async function migrate(db: Db, names: Names, migrations: readonly MigrationMeta[]): Promise<void> {
  await db.execute(sql.raw('set local statement_timeout = 0'));
  await db.execute(sql.raw(`set local lock_timeout = '${LOCK_LIMIT_SECONDS}s'`));
  await db.execute(sql.raw(`select pg_advisory_xact_lock(${names.locks.migrations})`));
  await ensureAppRole(db, names);
  const pending = await pendingMigrations(db, names, migrations);
  if (pending.length === 0) return;
  await ensureJournal(db, names);
  for (const migration of pending) {
    for (const statement of inSchema(migration, names).sql) await db.execute(sql.raw(statement));
    await db.execute(
      sql`insert into ${journalOf(names)} (hash, created_at) values (${migration.hash}, ${migration.folderMillis})`,
    );
  }
}

/** Makes the journal and the schema around it. Refuses a schema that somebody else uses: the role may read all that is in it. */
async function ensureJournal(db: Db, names: Names): Promise<void> {
  const { schema } = names.journal;
  const isOwn = schema === names.schema;
  if (await journalExists(db, names)) return;
  const [found] = await db
    .select({
      uses: sql<string>`(select count(*) from pg_catalog.pg_depend d
        where d.refclassid = 'pg_catalog.pg_namespace'::regclass and d.refobjid = n.oid and d.deptype = 'n')`,
    })
    .from(sql`pg_catalog.pg_namespace n`)
    .where(sql`n.nspname = ${schema}`);
  if (isOwn && found !== undefined && Number(found.uses) > 0)
    throw new KmsError(
      'INTERNAL_ERROR',
      `The schema ${schema} is in use by somebody else: give the store one of its own.`,
    );
  if (found === undefined) await db.execute(sql`create schema ${sql.identifier(schema)}`);
  await db.execute(
    sql`create table ${journalOf(names)} (id serial primary key, hash text not null, created_at bigint)`,
  );
}

function journalOf({ journal }: Names): SQL {
  return sql`${sql.identifier(journal.schema)}.${sql.identifier(journal.table)}`;
}

/** The migrations that were not applied. Throws when one was applied that this version does not have. */
async function pendingMigrations(
  db: Db,
  names: Names,
  migrations: readonly MigrationMeta[],
): Promise<readonly MigrationMeta[]> {
  const applied = new Set(await appliedHashes(db, names));
  const pending = migrations.filter((migration) => !applied.has(migration.hash));
  const unknown = applied.size - (migrations.length - pending.length);
  if (unknown > 0) {
    throw new KmsError(
      'INTERNAL_ERROR',
      `The database is newer than this version of the service: it has ${unknown} migration(s) that this version does ` +
        'not know. Start a version at least as new as the one that migrated it last.',
    );
  }
  return pending;
}

async function appliedHashes(db: Db, names: Names): Promise<readonly string[]> {
  if (!(await journalExists(db, names))) return [];
  const rows = await db.select({ hash: sql<string>`hash` }).from(journalOf(names));
  return rows.map(({ hash }) => hash);
}

/** Asks the catalog, which answers those without any right on the schema too. */
async function journalExists(db: Db, { journal }: Names): Promise<boolean> {
  const rows = await db
    .select({ name: sql<string>`c.relname` })
    .from(sql`pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace`)
    .where(sql`n.nspname = ${journal.schema} and c.relname = ${journal.table}`);
  return rows.length > 0;
}

async function requireMigrated(db: Db, names: Names, migrations: readonly MigrationMeta[]): Promise<void> {
  // Anyone who may take the role may read the journal.
  if (await journalExists(db, names)) await requireAppRole(db, names);
  const pending = await pendingMigrations(db, names, migrations);
  if (pending.length === 0) return;
  throw new KmsError(
    'INTERNAL_ERROR',
    `The database lacks ${pending.length} migration(s), and this process may not apply them. Start one that migrates first.`,
  );
}

async function requireServer(db: Db): Promise<void> {
  const version = sql<string>`current_setting('server_version_num')`;
  const [row] = await db.select({ version }).from(sql`(select 1) as one`);
  const major = Math.floor(Number(row?.version) / 10_000);
  if (major >= OLDEST_SERVER) return;
  throw new KmsError(
    'INTERNAL_ERROR',
    `The server is PostgreSQL ${major}; version ${OLDEST_SERVER} is the oldest supported.`,
  );
}
