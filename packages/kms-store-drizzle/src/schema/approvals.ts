import type { ApprovalState } from '@qnsp/kms-core/internal';
import { sql } from 'drizzle-orm';
import { check, index, integer, text, uuid } from 'drizzle-orm/pg-core';
import { bytea, instant, kms } from './columns.ts';
import { tenants } from './tenants.ts';

/** What waits for approvals, and what became of it. */
export const approvals = kms.table(
  'approvals',
  {
    approvalId: uuid('approval_id').primaryKey(),
    tenantId: uuid('tenant_id')
      .notNull()
      .references(() => tenants.tenantId),
    fingerprint: bytea('fingerprint').notNull(),
    state: text('state').$type<ApprovalState>().notNull(),
    createdAt: instant('created_at').notNull(),
    expiresAt: instant('expires_at').notNull(),
    content: text('content').notNull(),
    macFormat: integer('mac_format').notNull(),
    macTmkVersion: integer('mac_tmk_version').notNull(),
    macTag: bytea('mac_tag').notNull(),
  },
  (table) => [
    check('approvals_fingerprint', sql`octet_length(${table.fingerprint}) = 32`),
    check('approvals_state', sql`${table.state} in ('pending', 'executed', 'refused', 'withdrawn')`),
    check(
      'approvals_mac',
      sql`octet_length(${table.macTag}) = 32 and ${table.macTmkVersion} >= 1 and ${table.macFormat} >= 2`,
    ),
    index('approvals_newest').on(table.tenantId, table.createdAt, table.approvalId),
    index('approvals_ended').on(table.tenantId, table.expiresAt),
    index('approvals_pending').on(table.tenantId, table.fingerprint).where(sql`${table.state} = 'pending'`),
  ],
);
