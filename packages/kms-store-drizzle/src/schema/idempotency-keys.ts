import { sql } from 'drizzle-orm';
import { check, index, primaryKey, text, uuid } from 'drizzle-orm/pg-core';
import { bytea, instant, kms } from './columns.ts';
import { tenants } from './tenants.ts';

export const idempotencyKeys = kms.table(
  'idempotency_keys',
  {
    /** The nil UUID for the service's own calls. */
    tenantId: uuid('tenant_id')
      .notNull()
      .references(() => tenants.tenantId),
    key: text('key').notNull(),
    fingerprint: bytea('fingerprint').notNull(),
    /** `null` while the key is claimed and not completed. */
    answer: bytea('answer'),
    expiresAt: instant('expires_at'),
  },
  (table) => [
    primaryKey({ name: 'idempotency_keys_pkey', columns: [table.tenantId, table.key] }),
    check('idempotency_keys_completed', sql`(${table.answer} is null) = (${table.expiresAt} is null)`),
    index('idempotency_keys_expired').on(table.tenantId, table.expiresAt),
  ],
);
