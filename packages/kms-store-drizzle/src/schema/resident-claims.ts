import type { ResidentClaim } from '@qnsp/kms-core/ports';
import { sql } from 'drizzle-orm';
import { check, index, integer, primaryKey, text, uuid } from 'drizzle-orm/pg-core';
import { instant, kms } from './columns.ts';

/** Keys that are being made in an HSM, and objects in HSMs that no version names. */
export const residentClaims = kms.table(
  'resident_claims',
  {
    tenantId: uuid('tenant_id').notNull(),
    /** No foreign key: a key is claimed before its row is there. */
    keyId: uuid('key_id').notNull(),
    version: integer('version').notNull(),
    providerId: text('provider_id').notNull(),
    kind: text('kind').$type<ResidentClaim['kind']>().notNull(),
    claimedAt: instant('claimed_at').notNull(),
  },
  (table) => [
    primaryKey({ name: 'resident_claims_pkey', columns: [table.keyId, table.version, table.providerId] }),
    index('resident_claims_of_provider').on(table.providerId),
    check('resident_claims_version', sql`${table.version} >= 1`),
    check('resident_claims_kind', sql`${table.kind} in ('create', 'orphan')`),
  ],
);
