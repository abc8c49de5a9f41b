import { foreignKey, integer, primaryKey, uuid } from 'drizzle-orm/pg-core';
import { instant, kms } from './columns.ts';
import { keyVersions } from './key-versions.ts';

/**
 * In which hour versions of keys were last used. Apart from their records: it is written without a MAC, and a change of a record is
 * announced to every node.
 */
export const keyVersionUses = kms.table(
  'key_version_uses',
  {
    tenantId: uuid('tenant_id').notNull(),
    keyId: uuid('key_id').notNull(),
    version: integer('version').notNull(),
    /** To protect something new. */
    protectedAt: instant('protected_at'),
    /** To process what it protected. */
    processedAt: instant('processed_at'),
  },
  (table) => [
    primaryKey({ name: 'key_version_uses_pkey', columns: [table.keyId, table.version] }),
    foreignKey({
      name: 'key_version_uses_version',
      columns: [table.keyId, table.version],
      foreignColumns: [keyVersions.keyId, keyVersions.version],
    }),
  ],
);
