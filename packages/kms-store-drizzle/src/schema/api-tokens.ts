import type { ApiTokenRecord } from '@qnsp/kms-core/ports';
import { sql } from 'drizzle-orm';
import { check, index, integer, jsonb, text, unique, uuid } from 'drizzle-orm/pg-core';
import { bytea, instant, kms } from './columns.ts';
import { tenants } from './tenants.ts';

export const apiTokens = kms.table(
  'api_tokens',
  {
    tokenId: uuid('token_id').primaryKey(),
    /** `null` for a credential of the whole service. */
    tenantId: uuid('tenant_id').references(() => tenants.tenantId),
    name: text('name').notNull(),
    hash: bytea('hash').notNull(),
    role: text('role').$type<ApiTokenRecord['role']>(),
    permissions: text('permissions').array().$type<ApiTokenRecord['permissions'][number][]>().notNull(),
    createdAt: instant('created_at').notNull(),
    expiresAt: instant('expires_at'),
    revokedAt: instant('revoked_at'),
    macTmkVersion: integer('mac_tmk_version'),
    macTag: bytea('mac_tag'),
    macFormat: integer('mac_format').notNull().default(1),
    fields: jsonb('fields').$type<ApiTokenRecord['fields']>().notNull().default({}),
  },
  (table) => [
    unique('api_tokens_hash').on(table.hash),
    check(
      'api_tokens_role',
      sql`${table.role} in ('platform_admin', 'tenant_admin', 'key_admin', 'key_user', 'auditor')`,
    ),
    check('api_tokens_hash_size', sql`octet_length(${table.hash}) = 32`),
    check(
      'api_tokens_mac',
      sql`num_nonnulls(${table.macTag}, ${table.macTmkVersion}) in (0, 2) and octet_length(${table.macTag}) = 32 and ${table.macTmkVersion} >= 1`,
    ),
    check('api_tokens_mac_format', sql`${table.macFormat} >= 1`),
    check('api_tokens_fields', sql`jsonb_typeof(${table.fields}) = 'object'`),
    index('api_tokens_newest').on(table.tenantId, table.createdAt, table.tokenId),
    /** For what descends from an identity: of what the MAC covers, so that who moves a token breaks it. */
    index('api_tokens_parent').on(sql`(fields ->> 'parentTokenId')`).where(sql`fields ? 'parentTokenId'`),
    index('api_tokens_identity').on(sql`(fields ->> '!identity')`).where(sql`fields ? '!identity'`),
    /** For how many a tenant has. */
    index('api_tokens_in_use')
      .on(table.tenantId, table.expiresAt)
      .where(sql`${table.revokedAt} is null and not fields ? '!overlapEnd'`),
    /** For the removal of what expired long ago. */
    index('api_tokens_expired')
      .on(table.expiresAt, table.tokenId)
      .where(sql`${table.tenantId} is not null and ${table.expiresAt} is not null`),
  ],
);
