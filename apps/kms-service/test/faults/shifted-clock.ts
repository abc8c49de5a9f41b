import type { Sql } from 'postgres';

/**
 * Puts a clock in front of PostgreSQL's own for one database, which `shiftClock` can set forward: `now()` finds the
 * function of this schema before that of `pg_catalog`. The service asks the database for the time of every schedule, so
 * that its schedules come due for all nodes at once, with records that nobody has touched.
 */
export async function installShiftedClock(sql: Sql, databaseName: string): Promise<void> {
  await sql.unsafe(`
    create schema shifted;
    create table shifted.clock (ahead interval not null);
    insert into shifted.clock values ('0');
    create function shifted.now() returns timestamptz language sql stable security definer
      as 'select pg_catalog.now() + ahead from shifted.clock';
    grant usage on schema shifted to public;
    alter database ${databaseName} set search_path = shifted, pg_catalog, public;
  `);
}

/** Sets the clock forward, from one statement to the next. */
export async function shiftClock(sql: Sql, ahead: string): Promise<void> {
  await sql`update shifted.clock set ahead = ahead + ${ahead}::interval`;
}
