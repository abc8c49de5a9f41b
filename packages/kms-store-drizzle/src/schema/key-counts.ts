import { bigint, primaryKey, uuid } from 'drizzle-orm/pg-core';
import { kms } from './columns.ts';
import { tenants } from './tenants.ts';

/**
 * How many keys that are not destroyed a tenant has, as the sum of its rows: a trigger counts in one that no other unit counts in at the
 * moment, so that none waits for another.
 */
export const keyCounts = kms.table(
  'key_counts',
  {
    tenantId: uuid('tenant_id')
      .notNull()
      .references(() => tenants.tenantId),
    slot: uuid('slot').notNull().defaultRandom(),
    /** Less than nothing where more keys were destroyed than added. */
    keys: bigint('keys', { mode: 'number' }).notNull(),
  },
  (table) => [primaryKey({ name: 'key_counts_pkey', columns: [table.tenantId, table.slot] })],
);
