import { sql } from 'drizzle-orm';
import { bigint, check, date, primaryKey, uuid } from 'drizzle-orm/pg-core';
import { kms } from './columns.ts';
import { tenants } from './tenants.ts';

/** How many operations used the keys of a tenant in a month, for statistics. */
export const operationCounts = kms.table(
  'operation_counts',
  {
    tenantId: uuid('tenant_id')
      .notNull()
      .references(() => tenants.tenantId),
    /** The first day of the month, in UTC. */
    month: date('month').notNull(),
    operations: bigint('operations', { mode: 'number' }).notNull(),
  },
  (table) => [
    primaryKey({ name: 'operation_counts_pkey', columns: [table.tenantId, table.month] }),
    check('operation_counts_operations', sql`${table.operations} between 0 and 9007199254740991`),
  ],
);
