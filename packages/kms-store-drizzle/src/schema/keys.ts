import type { VersionMaterial } from '@qnsp/kms-core/internal';
import type { KeyRecord, KeyVersionRecord } from '@qnsp/kms-core/ports';
import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  check,
  foreignKey,
  index,
  integer,
  json,
  jsonb,
  text,
  unique,
  uuid,
} from 'drizzle-orm/pg-core';
import { bytea, instant, kms } from './columns.ts';
import { tenants } from './tenants.ts';

const columns = () => ({
  keyId: uuid('key_id').primaryKey(),
  tenantId: uuid('tenant_id')
    .notNull()
    .references(() => tenants.tenantId),
  name: text('name'),
  algorithm: text('algorithm').notNull(),
  purpose: text('purpose').$type<KeyRecord['purpose']>().notNull(),
  protectionLevel: text('protection_level').$type<KeyRecord['protectionLevel']>().notNull(),
  state: text('state').$type<KeyRecord['state']>().notNull(),
  stateBeforeDestroy: text('state_before_destroy').$type<KeyRecord['stateBeforeDestroy']>(),
  revocationReason: text('revocation_reason').$type<NonNullable<KeyRecord['revocation']>['reason']>(),
  revokedAt: instant('revoked_at'),
  currentVersion: integer('current_version').notNull(),
  rotationPeriodSeconds: bigint('rotation_period_seconds', { mode: 'number' }),
  rotationAuto: boolean('rotation_auto').notNull(),
  retainVersions: integer('retain_versions'),
  nextRotationAt: instant('next_rotation_at'),
  maxOperations: bigint('max_operations', { mode: 'number' }),
  expiresAt: instant('expires_at'),
  policy: jsonb('policy').$type<KeyRecord['policy']>(),
  metadata: jsonb('metadata').$type<KeyRecord['metadata']>().notNull(),
  parentKeyId: uuid('parent_key_id'),
  revision: bigint('revision', { mode: 'number' }).notNull(),
  createdAt: instant('created_at').notNull(),
  updatedAt: instant('updated_at').notNull(),
  destroyAt: instant('destroy_at'),
  macTmkVersion: integer('mac_tmk_version').notNull(),
  macTag: bytea('mac_tag').notNull(),
  macFormat: integer('mac_format').notNull().default(1),
  fields: jsonb('fields').$type<KeyRecord['fields']>().notNull().default({}),
});

export const keys = kms.table('keys', columns(), (table) => [
  // What versions, budgets and children refer to, so that they can only belong to the same tenant.
  unique('keys_of_tenant').on(table.tenantId, table.keyId),
  foreignKey({
    name: 'keys_parent',
    columns: [table.tenantId, table.parentKeyId],
    foreignColumns: [table.tenantId, table.keyId],
  }),
  check('keys_state', sql`${table.state} in ('active', 'suspended', 'deactivated', 'revoked', 'destroyed')`),
  check('keys_state_before_destroy', sql`${table.stateBeforeDestroy} in ('active', 'suspended')`),
  check('keys_protection_level', sql`${table.protectionLevel} in ('software', 'hsm')`),
  check(
    'keys_revocation_reason',
    sql`${table.revocationReason} in ('suspected_compromise', 'policy_violation', 'end_of_life', 'crypto_weakness')`,
  ),
  check('keys_revocation', sql`(${table.revocationReason} is null) = (${table.revokedAt} is null)`),
  check('keys_revoked', sql`${table.state} <> 'revoked' or ${table.revokedAt} is not null`),
  check(
    'keys_deactivated',
    sql`${table.state} <> 'deactivated' or (${table.destroyAt} is not null and ${table.stateBeforeDestroy} is not null)`,
  ),
  check(
    'keys_rotation',
    sql`not ${table.rotationAuto} or num_nonnulls(${table.rotationPeriodSeconds}, ${table.nextRotationAt}) = 2`,
  ),
  check('keys_rotation_period', sql`${table.rotationPeriodSeconds} > 0`),
  check('keys_retain_versions', sql`${table.retainVersions} > 0`),
  check('keys_max_operations', sql`${table.maxOperations} >= 0`),
  check('keys_current_version', sql`${table.currentVersion} >= 1`),
  check('keys_revision', sql`${table.revision} >= 1`),
  check('keys_mac', sql`octet_length(${table.macTag}) = 32 and ${table.macTmkVersion} >= 1`),
  check('keys_mac_format', sql`${table.macFormat} >= 1`),
  check('keys_fields', sql`jsonb_typeof(${table.fields}) = 'object'`),
  /** For what is to be sealed again after a rotation of the master key. */
  index('keys_by_master_key').on(table.tenantId, table.macTmkVersion, table.keyId),
  index('keys_newest').on(table.tenantId, table.createdAt, table.keyId),
  index('keys_by_state').on(table.tenantId, table.state, table.createdAt, table.keyId),
  index('keys_by_algorithm').on(table.tenantId, table.algorithm, table.createdAt, table.keyId),
  index('keys_by_purpose').on(table.tenantId, table.purpose, table.createdAt, table.keyId),
  index('keys_by_name').on(table.tenantId, table.name, table.createdAt, table.keyId),
  index('keys_by_parent').on(table.tenantId, table.parentKeyId),
  index('keys_rotation_due')
    .on(table.nextRotationAt, table.keyId)
    .where(sql`${table.state} = 'active' and ${table.rotationAuto}`),
  index('keys_rotation_of_tenant')
    .on(table.tenantId, table.nextRotationAt, table.keyId)
    .where(sql`${table.state} = 'active' and ${table.rotationAuto}`),
  index('keys_destruction_due')
    .on(table.destroyAt, table.keyId)
    .where(sql`${table.destroyAt} is not null and ${table.state} <> 'destroyed'`),
]);

/** A version inside `key_records`: bytes in base64, the instant in milliseconds. */
export interface StoredVersion {
  readonly version: number;
  readonly state: KeyVersionRecord['state'];
  readonly algorithm: string;
  readonly origin: KeyVersionRecord['origin'];
  readonly provider: string;
  readonly materialKind: VersionMaterial['kind'];
  readonly tmkVersion: number | null;
  readonly sealed: string | null;
  readonly handle: string | null;
  readonly publicKey: string | null;
  readonly createdAt: number;
  readonly fields: KeyVersionRecord['fields'];
}

/** Each key with its versions, ascending: one statement sees both at the same moment. */
export const keyRecords = kms
  .view('key_records', { ...columns(), versions: json('versions').$type<readonly StoredVersion[]>().notNull() })
  .existing();
