import type { TenantRecord } from '@qnsp/kms-core/ports';
import { sql } from 'drizzle-orm';
import { check, foreignKey, index, integer, jsonb, primaryKey, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core';
import { bytea, instant, kms } from './columns.ts';

export const tenants = kms.table(
  'tenants',
  {
    tenantId: uuid('tenant_id').primaryKey(),
    name: text('name').notNull(),
    state: text('state').$type<'active' | 'shredded'>().notNull(),
    createdAt: instant('created_at').notNull(),
    macFormat: integer('mac_format').notNull().default(1),
    /** With the tag `null` in format 1: records of tenants have a MAC from format 2 on. */
    macTmkVersion: integer('mac_tmk_version'),
    macTag: bytea('mac_tag'),
    fields: jsonb('fields').$type<TenantRecord['fields']>().notNull().default({}),
    /** Nothing may name a version of its master key before this one: those were destroyed. */
    oldestTmkVersion: integer('oldest_tmk_version').notNull().default(1),
  },
  (table) => [
    check('tenants_state', sql`${table.state} in ('active', 'shredded')`),
    check(
      'tenants_mac',
      sql`num_nonnulls(${table.macTag}, ${table.macTmkVersion}) = case when ${table.macFormat} > 1 then 2 else 0 end and octet_length(${table.macTag}) = 32 and ${table.macTmkVersion} >= 1`,
    ),
    check('tenants_mac_format', sql`${table.macFormat} >= 1`),
    check('tenants_oldest_tmk_version', sql`${table.oldestTmkVersion} >= 1`),
    check('tenants_fields', sql`jsonb_typeof(${table.fields}) = 'object'`),
    uniqueIndex('tenants_account').on(sql`(${table.fields} ->> 'account')`),
    /** For pages of the list. */
    index('tenants_oldest').on(table.createdAt, table.tenantId),
  ],
);

export const roots = kms.table(
  'roots',
  {
    providerId: text('provider_id').notNull(),
    checkValue: text('check_value').notNull(),
  },
  (table) => [primaryKey({ name: 'roots_pkey', columns: [table.providerId, table.checkValue] })],
);

export const tenantMasterKeyWraps = kms.table(
  'tenant_master_key_wraps',
  {
    tenantId: uuid('tenant_id')
      .notNull()
      .references(() => tenants.tenantId),
    tmkVersion: integer('tmk_version').notNull(),
    providerId: text('provider_id').notNull(),
    rootCheckValue: text('root_check_value').notNull(),
    wrapped: bytea('wrapped').notNull(),
    format: integer('format').notNull().default(1),
  },
  (table) => [
    primaryKey({
      name: 'tenant_master_key_wraps_pkey',
      columns: [table.tenantId, table.tmkVersion, table.providerId, table.rootCheckValue],
    }),
    foreignKey({
      name: 'tenant_master_key_wraps_root',
      columns: [table.providerId, table.rootCheckValue],
      foreignColumns: [roots.providerId, roots.checkValue],
    }),
    index('tenant_master_key_wraps_of_root').on(table.providerId, table.rootCheckValue),
    check('tenant_master_key_wraps_version', sql`${table.tmkVersion} >= 1`),
    check('tenant_master_key_wraps_format', sql`${table.format} >= 1`),
  ],
);
