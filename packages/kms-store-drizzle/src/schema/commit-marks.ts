import { bigint, integer, primaryKey, uuid } from 'drizzle-orm/pg-core';
import { instant, kms } from './columns.ts';

/**
 * How many units of work each connection of each process has committed, written within these units. A process that was told
 * of a commit which is not counted here is on a database that lost it.
 */
export const commitMarks = kms.table(
  'commit_marks',
  {
    /** One life of one process. */
    holder: uuid('holder').notNull(),
    /** A connection of it, so that units that run side by side do not wait for one another. */
    slot: integer('slot').notNull(),
    count: bigint('count', { mode: 'number' }).notNull(),
    at: instant('at').notNull(),
  },
  (table) => [primaryKey({ name: 'commit_marks_pkey', columns: [table.holder, table.slot] })],
);
