import type { IdentityBindingRecord, IdentityDenialRecord } from '@qnsp/kms-core/internal';
import { sql } from 'drizzle-orm';
import { check, index, integer, jsonb, text, uuid } from 'drizzle-orm/pg-core';
import { bytea, instant, kms } from './columns.ts';
import { tenants } from './tenants.ts';

export const identityBindings = kms.table(
  'identity_bindings',
  {
    bindingId: uuid('binding_id').primaryKey(),
    tenantId: uuid('tenant_id')
      .notNull()
      .references(() => tenants.tenantId),
    issuer: text('issuer').notNull(),
    match: jsonb('match').$type<IdentityBindingRecord['match']>().notNull(),
    foundBy: bytea('found_by').notNull(),
    role: text('role').$type<IdentityBindingRecord['role']>(),
    permissions: text('permissions').array().$type<IdentityBindingRecord['permissions'][number][]>().notNull(),
    keys: uuid('keys').array(),
    createdAt: instant('created_at').notNull(),
    createdBy: text('created_by').notNull(),
    expiresAt: instant('expires_at'),
    removedAt: instant('removed_at'),
    macFormat: integer('mac_format').notNull(),
    macTmkVersion: integer('mac_tmk_version').notNull(),
    macTag: bytea('mac_tag').notNull(),
    fields: jsonb('fields').$type<IdentityBindingRecord['fields']>().notNull().default({}),
  },
  (table) => [
    check('identity_bindings_match', sql`jsonb_typeof(${table.match}) = 'object'`),
    check('identity_bindings_found_by', sql`octet_length(${table.foundBy}) = 32`),
    check('identity_bindings_role', sql`${table.role} in ('tenant_admin', 'key_admin', 'key_user', 'auditor')`),
    check(
      'identity_bindings_mac',
      sql`octet_length(${table.macTag}) = 32 and ${table.macTmkVersion} >= 1 and ${table.macFormat} >= 2`,
    ),
    check('identity_bindings_fields', sql`jsonb_typeof(${table.fields}) = 'object'`),
    index('identity_bindings_by_master_key').on(table.tenantId, table.macTmkVersion, table.bindingId),
    index('identity_bindings_newest')
      .on(table.tenantId, table.createdAt, table.bindingId)
      .where(sql`${table.removedAt} is null`),
    index('identity_bindings_found').on(table.foundBy).where(sql`${table.removedAt} is null`),
    index('identity_bindings_removed_of_tenant').on(table.tenantId).where(sql`${table.removedAt} is not null`),
    index('identity_bindings_removed')
      .on(table.foundBy, table.tenantId, table.removedAt)
      .where(sql`${table.removedAt} is not null`),
  ],
);

export const identityDenials = kms.table(
  'identity_denials',
  {
    denialId: uuid('denial_id').primaryKey(),
    tenantId: uuid('tenant_id')
      .notNull()
      .references(() => tenants.tenantId),
    issuer: text('issuer').notNull(),
    claim: text('claim').$type<IdentityDenialRecord['claim']>().notNull(),
    value: text('value').notNull(),
    foundBy: bytea('found_by').notNull(),
    before: instant('before').notNull(),
    endsAt: instant('ends_at').notNull(),
    createdAt: instant('created_at').notNull(),
    createdBy: text('created_by').notNull(),
    macFormat: integer('mac_format').notNull(),
    macTmkVersion: integer('mac_tmk_version').notNull(),
    macTag: bytea('mac_tag').notNull(),
    fields: jsonb('fields').$type<IdentityDenialRecord['fields']>().notNull().default({}),
  },
  (table) => [
    check('identity_denials_claim', sql`${table.claim} in ('sub', 'jti')`),
    check('identity_denials_found_by', sql`octet_length(${table.foundBy}) = 32`),
    check(
      'identity_denials_mac',
      sql`octet_length(${table.macTag}) = 32 and ${table.macTmkVersion} >= 1 and ${table.macFormat} >= 2`,
    ),
    check('identity_denials_fields', sql`jsonb_typeof(${table.fields}) = 'object'`),
    index('identity_denials_by_master_key').on(table.tenantId, table.macTmkVersion, table.denialId),
    index('identity_denials_newest').on(table.tenantId, table.createdAt, table.denialId),
    index('identity_denials_ended').on(table.tenantId, table.endsAt),
    index('identity_denials_found').on(table.foundBy),
  ],
);
