import { fileURLToPath } from 'node:url';
import { KmsError } from '@qnsp/kms-core';
import { sql } from 'drizzle-orm';
import { type MigrationMeta, readMigrationFiles } from 'drizzle-orm/migrator';
import type { Db, Driver } from '../driver/driver.ts';
import type { PostgresStoreOptions } from '../postgres/options.ts';
import { toStoreError } from '../driver/store-errors.ts';
import { ensureAppRole, requireAppRole } from './app-role.ts';

/** The table in which drizzle-kit, too, looks up which migrations were applied. */
const JOURNAL = 'drizzle.kms_migrations';
const OLDEST_SERVER = 15;
/** A number that no other user of the database locks: the first 52 bits of SHA-256("qnsp-kms migrations"). */
const LOCK = '4345454876501542';
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
  await driver.asOwner(async (db) => {
    try {
      await requireServer(db);
      if (mode === 'off') await requireMigrated(db, migrations);
      else await migrate(db, migrations);
    } catch (error) {
      throw toStoreError(error);
    }
  });
}

/** The migrations of this version, oldest first. */
export function allMigrations(): readonly MigrationMeta[] {
  return readMigrationFiles({ migrationsFolder: fileURLToPath(new URL('../../migrations', import.meta.url)) });
}

async function migrate(db: Db, migrations: readonly MigrationMeta[]): Promise<void> {
  await db.execute(sql.raw('set local statement_timeout = 0'));
  await db.execute(sql.raw(`set local lock_timeout = '${LOCK_LIMIT_SECONDS}s'`));
  await db.execute(sql.raw(`select pg_advisory_xact_lock(${LOCK})`));
  await ensureAppRole(db);
  const pending = await pendingMigrations(db, migrations);
  if (pending.length === 0) return;
  await db.execute(sql.raw('create schema if not exists drizzle'));
  await db.execute(
    sql.raw(`create table if not exists ${JOURNAL} (id serial primary key, hash text not null, created_at bigint)`),
  );
  for (const migration of pending) {
    for (const statement of migration.sql) await db.execute(sql.raw(statement));
    await db.execute(
      sql`insert into ${sql.raw(JOURNAL)} (hash, created_at) values (${migration.hash}, ${migration.folderMillis})`,
    );
  }
}

/** The migrations that were not applied. Throws when one was applied that this version does not have. */
async function pendingMigrations(db: Db, migrations: readonly MigrationMeta[]): Promise<readonly MigrationMeta[]> {
  const applied = new Set(await appliedHashes(db));
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

async function appliedHashes(db: Db): Promise<readonly string[]> {
  if (!(await journalExists(db))) return [];
  const rows = await db.select({ hash: sql<string>`hash` }).from(sql.raw(JOURNAL));
  return rows.map(({ hash }) => hash);
}

/** Asks the catalog, which answers those without any right on the schema too. */
async function journalExists(db: Db): Promise<boolean> {
  const rows = await db
    .select({ name: sql<string>`c.relname` })
    .from(sql`pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace`)
    .where(sql`n.nspname || '.' || c.relname = ${JOURNAL}`);
  return rows.length > 0;
}

async function requireMigrated(db: Db, migrations: readonly MigrationMeta[]): Promise<void> {
  // Anyone who may take the role may read the journal.
  if (await journalExists(db)) await requireAppRole(db);
  const pending = await pendingMigrations(db, migrations);
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
