import { sql } from 'drizzle-orm';
import { check, text, uuid } from 'drizzle-orm/pg-core';
import { instant, kms } from './columns.ts';

/**
 * Where this data has lived: each database that it was served from has a row, the newest one for the present database.
 */
export const databaseCopies = kms.table(
  'database_copies',
  {
    /** Names one database of one server; a restored dump is at another place than it was dumped from. */
    place: text('place').primaryKey(),
    noticedAt: instant('noticed_at').notNull(),
    /** When a service last worked here. */
    aliveAt: instant('alive_at').notNull(),
    /** The time of the data when it came here; `null` where it began. */
    dataAsOf: instant('data_as_of'),
    /** How it was noticed: the data is at another place than before, or it lacks commits that a process was told of. */
    cause: text('cause').$type<'place' | 'behind'>().notNull().default('place'),
    settledAt: instant('settled_at'),
    settledBy: text('settled_by').$type<'tombstones' | 'operator'>(),
    /** Up to when destructions newer than the data are known. */
    tombstonesAsOf: instant('tombstones_as_of'),
  },
  (table) => [
    check('database_copies_cause', sql`${table.cause} in ('place', 'behind')`),
    check('database_copies_settled_by', sql`${table.settledBy} in ('tombstones', 'operator')`),
    check(
      'database_copies_settled',
      sql`(${table.settledAt} is null) = (${table.settledBy} is null) and (${table.dataAsOf} is not null or ${table.settledAt} is null)`,
    ),
    check(
      'database_copies_tombstones',
      sql`(${table.tombstonesAsOf} is not null) = (${table.settledBy} is not distinct from 'tombstones')`,
    ),
  ],
);

const tombstoneColumns = () => ({
  /** `export` is one row that says when the others were true. */
  kind: text('kind').$type<'export' | 'tenant' | 'key' | 'token' | 'identity'>().notNull(),
  tenantId: uuid('tenant_id'),
  id: uuid('id'),
  state: text('state'),
  reason: text('reason'),
  at: instant('at').notNull(),
});

/** What an operator supplied with a restored copy: what had ended by the time of the export. */
export const tombstones = kms.table('tombstones', tombstoneColumns(), (table) => [
  check('tombstones_kind', sql`${table.kind} in ('export', 'tenant', 'key', 'token', 'identity')`),
  check('tombstones_id', sql`(${table.kind} = 'export') = (${table.id} is null)`),
]);

/** The tombstones that say more than the rows of this copy do. */
export const tombstonesToApply = kms.view('tombstones_to_apply', tombstoneColumns()).existing();
