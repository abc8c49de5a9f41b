import type { KeyMigrationRecord } from '@qnsp/kms-core/ports';
import { sql } from 'drizzle-orm';
import { check, index, integer, jsonb, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { bytea, instant, kms } from './columns.ts';
import { tenants } from './tenants.ts';

export const keyMigrations = kms.table(
  'key_migrations',
  {
    migrationId: uuid('migration_id').primaryKey(),
    tenantId: uuid('tenant_id')
      .notNull()
      .references(() => tenants.tenantId),
    state: text('state').$type<KeyMigrationRecord['state']>().notNull(),
    createdAt: instant('created_at').notNull(),
    endedAt: instant('ended_at'),
    order: jsonb('request').$type<KeyMigrationRecord['order']>().notNull(),
    progress: jsonb('progress').$type<KeyMigrationRecord['progress']>().notNull(),
    holder: text('holder'),
    dueAt: instant('due_at').notNull(),
    revision: integer('revision').notNull(),
    macFormat: integer('mac_format').notNull(),
    macTmkVersion: integer('mac_tmk_version').notNull(),
    macTag: bytea('mac_tag').notNull(),
  },
  (table) => [
    check('key_migrations_state', sql`${table.state} in ('running', 'completed', 'cancelled')`),
    check('key_migrations_ended', sql`(${table.state} = 'running') = (${table.endedAt} is null)`),
    check(
      'key_migrations_json',
      sql`jsonb_typeof(${table.order}) = 'object' and jsonb_typeof(${table.progress}) = 'object'`,
    ),
    check('key_migrations_revision', sql`${table.revision} >= 1`),
    check(
      'key_migrations_mac',
      sql`octet_length(${table.macTag}) = 32 and ${table.macTmkVersion} >= 1 and ${table.macFormat} >= 1`,
    ),
    uniqueIndex('key_migrations_running').on(table.tenantId).where(sql`${table.state} = 'running'`),
    index('key_migrations_due').on(table.dueAt, table.migrationId).where(sql`${table.state} = 'running'`),
    index('key_migrations_newest').on(table.tenantId, table.createdAt, table.migrationId),
  ],
);
