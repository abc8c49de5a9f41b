import { bigint, primaryKey, uuid } from 'drizzle-orm/pg-core';
import { kms } from './columns.ts';
import { tenants } from './tenants.ts';

/** How many answers are kept for a tenant under idempotency keys, expired ones that are still there included: as `keyCounts`. */
export const answerCounts = kms.table(
  'answer_counts',
  {
    tenantId: uuid('tenant_id')
      .notNull()
      .references(() => tenants.tenantId),
    slot: uuid('slot').notNull().defaultRandom(),
    /** Less than nothing where more answers were removed than kept. */
    answers: bigint('answers', { mode: 'number' }).notNull(),
  },
  (table) => [primaryKey({ name: 'answer_counts_pkey', columns: [table.tenantId, table.slot] })],
);
