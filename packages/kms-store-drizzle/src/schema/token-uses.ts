import { uuid } from 'drizzle-orm/pg-core';
import { apiTokens } from './api-tokens.ts';
import { instant, kms } from './columns.ts';
import { tenants } from './tenants.ts';

/**
 * In which hour tokens were last used. Apart from their records: it is written without a MAC, and a change of a record is announced
 * to every node.
 */
export const tokenUses = kms.table('token_uses', {
  tokenId: uuid('token_id')
    .primaryKey()
    .references(() => apiTokens.tokenId, { onDelete: 'cascade' }),
  tenantId: uuid('tenant_id').references(() => tenants.tenantId),
  usedAt: instant('used_at').notNull(),
});
