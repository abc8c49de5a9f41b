import { readFileSync } from 'node:fs';
import { allMigrations, prepareDatabase } from '../../src/migrate/prepare-database.ts';
import { PostgresDriver } from '../../src/postgres/postgres-driver.ts';
import { rawSql } from '../raw-sql.ts';
import { migrationTags, rowsFile } from './fixture-files.ts';

/** Brings a database to the state of a migration, with the rows of its fixture. */
export async function loadFixture(url: string, migration: number): Promise<void> {
  const driver = new PostgresDriver({ url, ssl: 'disable', migrate: 'auto' });
  await prepareDatabase(driver, 'auto', allMigrations().slice(0, migration + 1));
  await driver.close();
  const sql = rawSql(url);
  try {
    // As pg_restore --disable-triggers has it: the rows obeyed the triggers when they were written, one after another.
    const rows = readFileSync(rowsFile(migrationTags()[migration] ?? ''), 'utf8');
    await sql.unsafe(`begin; set local session_replication_role = replica; ${rows}; commit`);
  } finally {
    await sql.end();
  }
}
