import type { VersionMaterial } from '@qnsp/kms-core/internal';
import type { KeyVersionRecord } from '@qnsp/kms-core/ports';
import { sql } from 'drizzle-orm';
import {
  bigint,
  check,
  foreignKey,
  index,
  integer,
  jsonb,
  primaryKey,
  text,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import { bytea, instant, kms } from './columns.ts';
import { keys } from './keys.ts';

export const keyVersions = kms.table(
  'key_versions',
  {
    tenantId: uuid('tenant_id').notNull(),
    keyId: uuid('key_id').notNull(),
    version: integer('version').notNull(),
    state: text('state').$type<KeyVersionRecord['state']>().notNull(),
    algorithm: text('algorithm').notNull(),
    origin: text('origin').$type<KeyVersionRecord['origin']>().notNull(),
    provider: text('provider').notNull(),
    materialKind: text('material_kind').$type<VersionMaterial['kind']>().notNull(),
    tmkVersion: integer('tmk_version'),
    sealed: bytea('sealed'),
    handle: bytea('handle'),
    publicKey: bytea('public_key'),
    createdAt: instant('created_at').notNull(),
    fields: jsonb('fields').$type<KeyVersionRecord['fields']>().notNull().default({}),
  },
  (table) => [
    primaryKey({ name: 'key_versions_pkey', columns: [table.keyId, table.version] }),
    foreignKey({
      name: 'key_versions_key',
      columns: [table.tenantId, table.keyId],
      foreignColumns: [keys.tenantId, keys.keyId],
    }),
    uniqueIndex('key_versions_one_active').on(table.keyId).where(sql`${table.state} = 'active'`),
    index('key_versions_resident_in').on(table.provider).where(sql`${table.materialKind} = 'resident'`),
    index('key_versions_by_master_key')
      .on(table.tenantId, table.tmkVersion, table.keyId)
      .where(sql`${table.materialKind} = 'sealed'`),
    check('key_versions_version', sql`${table.version} >= 1`),
    check('key_versions_state', sql`${table.state} in ('active', 'decrypt-only', 'deactivated', 'destroyed')`),
    check('key_versions_origin', sql`${table.origin} in ('generated', 'imported')`),
    check('key_versions_material_kind', sql`${table.materialKind} in ('sealed', 'resident', 'none')`),
    check(
      'key_versions_sealed',
      sql`(${table.sealed} is not null) = (${table.materialKind} = 'sealed') and (${table.tmkVersion} is not null) = (${table.materialKind} = 'sealed')`,
    ),
    check('key_versions_resident', sql`(${table.handle} is not null) = (${table.materialKind} = 'resident')`),
    check('key_versions_destroyed', sql`${table.state} <> 'destroyed' or ${table.materialKind} = 'none'`),
    check('key_versions_fields', sql`jsonb_typeof(${table.fields}) = 'object'`),
  ],
);

/** How many operations of the budget of a key (version 0) or of one of its versions were handed out to nodes. */
export const operationLeases = kms.table(
  'operation_leases',
  {
    tenantId: uuid('tenant_id').notNull(),
    keyId: uuid('key_id').notNull(),
    version: integer('version').notNull(),
    granted: bigint('granted', { mode: 'number' }).notNull(),
    /** The size of the newest lease. */
    lastGrant: bigint('last_grant', { mode: 'number' }).notNull(),
  },
  (table) => [
    primaryKey({ name: 'operation_leases_pkey', columns: [table.keyId, table.version] }),
    foreignKey({
      name: 'operation_leases_key',
      columns: [table.tenantId, table.keyId],
      foreignColumns: [keys.tenantId, keys.keyId],
    }),
    check('operation_leases_version', sql`${table.version} >= 0`),
    check(
      'operation_leases_granted',
      sql`${table.lastGrant} >= 0 and ${table.granted} between ${table.lastGrant} and 9007199254740991`,
    ),
  ],
);
