import { type KeyRecord, newId, type Store } from '@qnsp/kms-core/ports';
import {
  insertKey,
  newTenant,
  rotated,
  asTenant,
  sampleBinding,
  sampleDenial,
  sampleKey,
  sampleMigration,
  sampleToken,
  sampleWrap,
  SYSTEM,
  useRoot,
  shreddedTenant,
} from '@qnsp/kms-core/testing';
import { openPostgresStore } from '@qnsp/kms-store-drizzle';
import { createDatabase, type TestDatabase } from '@qnsp/test-harness';
import type { Sql } from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rawSql } from './raw-sql.ts';

const WITHOUT_MATERIAL = `material_kind = 'none', tmk_version = null, sealed = null`;
/** Tokens by their names. */
const [LIVING, EXPIRING, REVOKED, EXPIRED, PLATFORM] = [
  'living',
  'expiring',
  'revoked',
  'expired',
  'of the platform',
] as const;
const EXPIRED_LONG_AGO = 'only tokens of tenants that expired long ago are removed';
const MIGRATION_STAYS = 'only how far a running migration has got changes';
const GONE = `state = 'destroyed', ${WITHOUT_MATERIAL}`;

/** Everything here is done as the owner of the tables and without the store: what remains is the database. */
describe('constraints of the database', () => {
  let database: TestDatabase;
  let store: Store;
  let close: () => Promise<void>;
  let sql: Sql;
  let [tenantId, shredded] = ['', ''];
  let key: KeyRecord;
  let revoked: KeyRecord;

  beforeAll(async () => {
    database = await createDatabase();
    ({ store, close } = await openPostgresStore({ url: database.url, ssl: 'disable', migrate: 'auto' }));
    sql = rawSql(database.url);
    await useRoot(store);
    [tenantId, shredded] = [await newTenant(store), await newTenant(store)];
    key = rotated(await insertKey(store, sampleKey(tenantId)));
    const revocation = { reason: 'end_of_life', at: new Date() } as const;
    revoked = await insertKey(store, sampleKey(tenantId, { state: 'revoked', revocation }));
    await asTenant(store, tenantId, async (unit) => {
      await unit.keys.update(key, 1);
      await unit.keys.leaseOperations({ keyId: key.keyId, version: 0, budget: 10, count: 5 });
      await unit.tokens.insert(sampleToken(tenantId, { name: LIVING }));
      await unit.tokens.insert(sampleToken(tenantId, { name: EXPIRING, expiresAt: new Date('9998-01-01') }));
      await unit.tokens.insert(sampleToken(tenantId, { name: REVOKED, revokedAt: new Date('2026-06-01') }));
      await unit.tokens.insert(sampleToken(tenantId, { name: EXPIRED, expiresAt: new Date('2026-06-01') }));
      await unit.identities.insert(sampleBinding(tenantId));
      await unit.identities.insertDenial(sampleDenial(tenantId));
      await unit.migrations.insert(sampleMigration(tenantId, { state: 'cancelled', endedAt: new Date(0) }));
      await unit.migrations.insert(sampleMigration(tenantId));
      await unit.tenants.addMasterKeyWraps([sampleWrap(tenantId)]);
    });
    const platform = sampleToken(null, { name: PLATFORM, expiresAt: new Date('2026-06-01') });
    await store.transact(SYSTEM, (unit) => unit.tokens.insert(platform));
    await insertKey(store, sampleKey(shredded));
    await store.transact(SYSTEM, (unit) => unit.tenants.shred(shreddedTenant(shredded)));
  });

  afterAll(async () => {
    await sql.end();
    await close();
    await database.drop();
  });

  /** The name of a refused change, the statement, and a part of what the database says. */
  const refused: readonly (readonly [name: string, statement: () => string, says: string])[] = [
    ['an unknown state of a key', () => setKey(`state = 'lost'`), 'keys_state'],
    ['an unknown state to return to', () => setKey(`state_before_destroy = 'revoked'`), 'keys_state_before_destroy'],
    ['an unknown protection level', () => setKey(`protection_level = 'none'`), 'keys_protection_level'],
    ['a revocation without a date', () => setKey(`revocation_reason = 'end_of_life'`), 'keys_revocation'],
    ['an unknown reason', () => setKey(`revocation_reason = 'mood', revoked_at = now()`), 'keys_revocation_reason'],
    ['a revoked key without a reason', () => setKey(`state = 'revoked'`), 'keys_revoked'],
    ['a deactivated key without a date', () => setKey(`state = 'deactivated'`), 'keys_deactivated'],
    ['a current version 0', () => setKey('current_version = 0'), 'keys_current_version'],
    ['a current version that is not there', () => setKey('current_version = 9'), 'keys_current_version_exists'],
    ['a MAC of another size', () => setKey(`mac_tag = '\\x00'`), 'keys_mac'],
    [
      'a parent in another tenant',
      () => setKey(`parent_key_id = (select key_id from kms.keys where tenant_id = '${shredded}')`),
      'keys_parent',
    ],
    ['a destroyed key with material', () => setKey(`state = 'destroyed'`), 'a destroyed key has no material'],
    [
      'a destroyed key with a version that is not',
      () => `${setVersion(1, GONE)}; ${setVersion(2, WITHOUT_MATERIAL)}; ${setKey(`state = 'destroyed'`)}`,
      'no version that is not destroyed',
    ],
    [
      'rotation by itself without a period',
      () => setKey('rotation_auto = true, next_rotation_at = now()'),
      'keys_rotation',
    ],
    [
      'rotation by itself without a date',
      () => setKey('rotation_auto = true, rotation_period_seconds = 60'),
      'keys_rotation',
    ],
    ['a period of nothing', () => setKey('rotation_period_seconds = 0'), 'keys_rotation_period'],
    ['a key that retains no version', () => setKey('retain_versions = 0'), 'keys_retain_versions'],
    ['a negative limit', () => setKey('max_operations = -1'), 'keys_max_operations'],
    [
      'a current version that is not active',
      () => setKey('current_version = 1'),
      'the current version of a key is its active',
    ],
    [
      'a key without an active version',
      () => `${setVersion(2, `state = 'decrypt-only'`)}; set constraints all immediate`,
      'the current version of a key is its active',
    ],
    [
      'a new key without an active version',
      () => `with made as (insert into kms.keys select (jsonb_populate_record(k, '{"key_id": "${newId()}", "current_version": 1}')).*
          from kms.keys k where key_id = '${key.keyId}' returning tenant_id, key_id)
        insert into kms.key_versions select tenant_id, key_id, 1, 'decrypt-only', 'a', 'generated', 'p', 'none', null, null, null, null, now() from made;
        set constraints all immediate`,
      'the current version of a key is its active',
    ],
    [
      'a change without a revision',
      () => `update kms.keys set name = 'x' where key_id = '${key.keyId}'`,
      'raises the revision by one',
    ],
    ['a move to another tenant', () => setKey(`tenant_id = '${shredded}'`), 'the identity of a key never changes'],
    [
      'a revoked key that is active again',
      () => `update kms.keys set state = 'active', revision = 2 where key_id = '${revoked.keyId}'`,
      'a key that is revoked does not become active',
    ],
    ['the removal of a key', () => 'delete from kms.keys', 'rows of kms.keys are never removed'],
    ['the removal of versions', () => 'delete from kms.key_versions', 'rows of kms.key_versions are never removed'],
    ['the removal of budgets', () => 'truncate kms.operation_leases', 'rows of kms.operation_leases are never removed'],
    ['the removal of a tenant', () => 'delete from kms.tenants', 'rows of kms.tenants are never removed'],
    ['the removal of all tokens', () => 'truncate kms.api_tokens cascade', 'rows of kms.api_tokens are never removed'],
    ['the removal of a living token', () => removeToken(LIVING, '2028-01-01'), EXPIRED_LONG_AGO],
    ['the removal of a token that will expire', () => removeToken(EXPIRING, '2028-01-01'), EXPIRED_LONG_AGO],
    ['the removal of a token that was only revoked', () => removeToken(REVOKED, '2026-06-02'), EXPIRED_LONG_AGO],
    ['the removal of a token that expired later', () => removeToken(EXPIRED, '2026-01-01'), EXPIRED_LONG_AGO],
    ['the removal of a token without a time', () => removeToken(EXPIRED, ''), EXPIRED_LONG_AGO],
    ['the removal of a token by a time to come', () => removeToken(EXPIRED, '9999-01-01'), EXPIRED_LONG_AGO],
    ['the removal of a token by a tenant', () => removeToken(EXPIRED, '2026-06-02', 'tenant'), EXPIRED_LONG_AGO],
    ['the removal of a token of the platform', () => removeToken(PLATFORM, '2026-06-02'), EXPIRED_LONG_AGO],
    ['two active versions', () => addVersion(`3, 'active'`), 'key_versions_one_active'],
    ['an unknown state of a version', () => addVersion(`3, 'lost'`), 'key_versions_state'],
    ['a gap between versions', () => addVersion(`4, 'deactivated'`), 'versions count without gaps'],
    ['a version twice', () => addVersion(`2, 'deactivated'`), 'key_versions_pkey'],
    ['a version 0', () => addVersion(`0, 'deactivated'`), 'key_versions_version'],
    ['a destroyed version with material', () => setVersion(1, `state = 'destroyed'`), 'key_versions_destroyed'],
    [
      'sealed material without bytes',
      () => setVersion(1, 'sealed = null'),
      'the material of a version can only go away',
    ],
    ['material without its kind', () => setVersion(1, `material_kind = 'none'`), 'key_versions_sealed'],
    [
      'a handle beside sealed material',
      () => setVersion(1, `material_kind = 'none', tmk_version = null, sealed = null, handle = '\\x00'`),
      'key_versions_resident',
    ],
    ['other material', () => setVersion(1, `sealed = '\\x00'`), 'the material of a version can only go away'],
    [
      'material of another master key',
      () => setVersion(1, 'tmk_version = 2'),
      'the material of a version can only go away',
    ],
    [
      'material under an earlier master key',
      () => setVersion(1, `tmk_version = 0, sealed = '\\x00'`),
      'the material of a version can only go away',
    ],
    [
      'a record under an earlier master key',
      () => `update kms.keys set mac_tmk_version = mac_tmk_version - 1`,
      'a change raises the revision by one',
    ],
    [
      'another field of a record that is sealed again',
      () => `update kms.keys set mac_tmk_version = mac_tmk_version + 1, name = 'other'`,
      'a change raises the revision by one',
    ],
    [
      'another field of an identity denial that is sealed again',
      () => `update kms.identity_denials set mac_tmk_version = mac_tmk_version + 1, value = 'other'`,
      'only ever gets its MAC',
    ],
    [
      'another field of an identity binding that is sealed again',
      () => `update kms.identity_bindings set mac_tmk_version = mac_tmk_version + 1, role = 'tenant_admin'`,
      'an identity binding can only be removed',
    ],
    [
      'a master key that was destroyed',
      () => 'update kms.tenants set oldest_tmk_version = 2; update kms.tenants set oldest_tmk_version = 1',
      'does not come back',
    ],
    [
      'a record under a master key that was destroyed',
      () => 'update kms.tenants set oldest_tmk_version = 2; update kms.keys set revision = revision + 1',
      'version 1 of the master key was destroyed',
    ],
    ['another algorithm of a version', () => setVersion(1, `algorithm = 'x'`), 'never changes but in its state'],
    ['another public key', () => setVersion(1, `public_key = '\\x00'`), 'never changes but in its state'],
    ['another number of a version', () => setVersion(1, 'version = 3'), 'never changes but in its state'],
    ['a version that goes back', () => setVersion(1, `state = 'active'`), 'does not become active'],
    [
      'a budget that is given back',
      () => `update kms.operation_leases set granted = 0, last_grant = 0`,
      'counted in one direction',
    ],
    [
      'a budget that jumps',
      () => `update kms.operation_leases set granted = granted + 2, last_grant = 1`,
      'counted in one direction',
    ],
    [
      'a budget of a version that is not there',
      () => `insert into kms.operation_leases values ('${tenantId}', '${key.keyId}', 3, 1, 1)`,
      'a budget is that of a version that is there',
    ],
    [
      'a negative grant',
      () => `update kms.operation_leases set granted = granted - 1, last_grant = -1`,
      'operation_leases_granted',
    ],
    [
      'a shredded tenant that comes back',
      () => `update kms.tenants set state = 'active' where tenant_id = '${shredded}'`,
      'a shredded one stays shredded',
    ],
    [
      'an unknown state of a tenant',
      () => `update kms.tenants set state = 'x' where tenant_id = '${tenantId}'`,
      'tenants_state',
    ],
    [
      'a master key for a shredded tenant',
      () => `insert into kms.tenant_master_key_wraps values ('${shredded}', 2, 'x', '\\x00')`,
      'the tenant was shredded',
    ],
    [
      'a master key version 0',
      () => `insert into kms.tenant_master_key_wraps values ('${tenantId}', 0, 'software', '\\x00', 'c0ffee')`,
      'version 0 of the master key was destroyed',
    ],
    [
      'a master key for nobody',
      () => `insert into kms.tenant_master_key_wraps values (gen_random_uuid(), 1, 'software', '\\x00', 'c0ffee')`,
      'foreign key constraint',
    ],
    ['a token with another hash', () => `update kms.api_tokens set hash = sha256('x')`, 'a token can only be revoked'],
    [
      'a token that is revoked twice',
      () => `update kms.api_tokens set revoked_at = now(); update kms.api_tokens set revoked_at = null`,
      'a token can only be revoked',
    ],
    [
      'a token whose end comes later than it was said',
      () =>
        `update kms.api_tokens set fields = '{"!overlapEnd": 1}'; update kms.api_tokens set fields = '{"!overlapEnd": 2}'`,
      'a token can only be revoked',
    ],
    [
      'a token with another limit',
      () => `update kms.api_tokens set fields = '{"!keys": []}'`,
      'a token can only be revoked',
    ],
    [
      'a token that is revoked, with another limit',
      () => `update kms.api_tokens set revoked_at = now(), fields = '{"!keys": []}'`,
      'a token can only be revoked',
    ],
    [
      'a token that is replaced, with another name',
      () => `update kms.api_tokens set name = 'x', fields = '{"!overlapEnd": 1}'`,
      'a token can only be revoked',
    ],
    [
      'a token with a short hash',
      () => `insert into kms.api_tokens values (gen_random_uuid(), null, 'x', '\\x00', null, '{}', now())`,
      'api_tokens_hash_size',
    ],
    [
      'a token of a shredded tenant',
      () => `insert into kms.api_tokens values (gen_random_uuid(), '${shredded}', 'x', sha256('x'), null, '{}', now())`,
      'the tenant was shredded',
    ],
    [
      'an identity binding with another role',
      () => `update kms.identity_bindings set role = 'tenant_admin', removed_at = now()`,
      'an identity binding can only be removed',
    ],
    [
      'an identity binding that is removed and put back',
      () => `update kms.identity_bindings set removed_at = now(); update kms.identity_bindings set removed_at = null`,
      'an identity binding can only be removed',
    ],
    [
      'the removal of the row of an identity binding',
      () => 'delete from kms.identity_bindings',
      'rows of kms.identity_bindings are never removed',
    ],
    [
      'an identity denial that is changed without being lifted',
      () => `update kms.identity_denials set mac_tag = sha256('')`,
      'or is lifted',
    ],
    [
      'an identity denial that is lifted and changed',
      () => `update kms.identity_denials set fields = '{"liftedAt":1}', before = '1970-01-01'`,
      'or is lifted',
    ],
    [
      'an identity denial that is lifted and put back',
      () => `update kms.identity_denials set fields = '{"liftedAt":1}'; update kms.identity_denials set fields = '{}'`,
      'or is lifted',
    ],
    [
      'the removal of an identity denial that has not ended',
      () => 'delete from kms.identity_denials',
      'only identity denials that have ended are removed',
    ],
    [
      'the removal of all identity denials',
      () => 'truncate kms.identity_denials',
      'rows of kms.identity_denials are never removed',
    ],
    ['a migration that asks for something else', () => setMigration(`request = '{}'`), MIGRATION_STAYS],
    ['a migration of another tenant', () => setMigration(`tenant_id = '${shredded}'`), MIGRATION_STAYS],
    [
      'a change of a migration without a revision',
      () => `update kms.key_migrations set holder = 'x' where state = 'running'`,
      MIGRATION_STAYS,
    ],
    [
      'a migration that has ended and goes on',
      () => `update kms.key_migrations set state = 'running', ended_at = null, revision = 2 where state = 'cancelled'`,
      MIGRATION_STAYS,
    ],
    ['a migration that has ended without a date', () => setMigration(`state = 'completed'`), 'key_migrations_ended'],
    ['an unknown state of a migration', () => setMigration(`state = 'lost', ended_at = now()`), 'key_migrations_state'],
    ['a progress that is none', () => setMigration(`progress = '[]'`), 'key_migrations_json'],
    ['a MAC of a migration of another size', () => setMigration(`mac_tag = '\\x00'`), 'key_migrations_mac'],
    [
      'a second migration of a tenant',
      () =>
        `insert into kms.key_migrations select (jsonb_populate_record(m, '{"migration_id": "${newId()}"}')).* from kms.key_migrations m where state = 'running'`,
      'key_migrations_running',
    ],
    [
      'a migration of a shredded tenant',
      () =>
        `insert into kms.key_migrations select (jsonb_populate_record(m, '{"migration_id": "${newId()}", "tenant_id": "${shredded}"}')).* from kms.key_migrations m where state = 'running'`,
      'the tenant was shredded',
    ],
    [
      'the removal of a running migration',
      () => 'delete from kms.key_migrations',
      'a running migration is not removed',
    ],
    [
      'the removal of all migrations',
      () => 'truncate kms.key_migrations',
      'rows of kms.key_migrations are never removed',
    ],
    [
      'an identity binding of the platform',
      () =>
        `insert into kms.identity_bindings select gen_random_uuid(), tenant_id, issuer, match, found_by, 'platform_admin', permissions, null, created_at, created_by, null, null, mac_format, mac_tmk_version, mac_tag from kms.identity_bindings`,
      'identity_bindings_role',
    ],
    [
      'an unknown role of a token',
      () => `insert into kms.api_tokens values (gen_random_uuid(), null, 'x', sha256('x'), 'king', '{}', now())`,
      'api_tokens_role',
    ],
    [
      'an idempotency key of a shredded tenant',
      () => `insert into kms.idempotency_keys values ('${shredded}', 'k', '\\x00', null, null)`,
      'the tenant was shredded',
    ],
    [
      'an idempotency key of nobody',
      () => `insert into kms.idempotency_keys values (gen_random_uuid(), 'k', '\\x00', null, null)`,
      'idempotency_keys_tenant_id_tenants_tenant_id_fk',
    ],
    [
      'an answer without an end',
      () => `insert into kms.idempotency_keys values ('${tenantId}', 'k', '\\x00', '\\x00', null)`,
      'idempotency_keys_completed',
    ],
  ];

  function removeToken(name: string, expiredBefore: string, scope = 'system'): string {
    return `select set_config('kms.scope', '${scope}', true), set_config('kms.remove_tokens_before', '${expiredBefore}', true);
      delete from kms.api_tokens where name = '${name}'`;
  }

  function setKey(change: string): string {
    return `update kms.keys set revision = revision + 1, ${change} where key_id = '${key.keyId}'; set constraints all immediate`;
  }

  function setMigration(change: string): string {
    return `update kms.key_migrations set revision = revision + 1, ${change} where state = 'running'`;
  }

  function setVersion(version: number, change: string): string {
    return `update kms.key_versions set ${change} where key_id = '${key.keyId}' and version = ${version}`;
  }

  function addVersion(numberAndState: string): string {
    return `insert into kms.key_versions values ('${tenantId}', '${key.keyId}', ${numberAndState}, 'a', 'generated', 'p', 'sealed', 1, '\\x00', null, null, now())`;
  }

  it.each(refused)('refuse %s', async (_name, statement, says) => {
    // Row-level security would hide the rows from an owner who is no superuser; this one sees all of them.
    const attempt = sql.begin(async (tx) => {
      await tx.unsafe(statement());
      throw new Error('the database took it');
    });
    const error = await attempt.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    const { message, constraint_name: constraint } = error as { message: string; constraint_name?: string };
    expect(`${message} ${constraint ?? ''}`).toContain(says);
  });

  it('let through what they are for: a change of state, the end of material and of tokens', async () => {
    const attempt = sql.begin(async (tx) => {
      await tx.unsafe(removeToken(EXPIRED, '2026-06-02'));
      expect(await tx`select from kms.api_tokens where name = ${EXPIRED}`).toHaveLength(0);
      await tx.unsafe(setVersion(1, GONE));
      await tx.unsafe(setVersion(2, GONE));
      await tx.unsafe(setKey(`state = 'destroyed'`));
      throw new Error('rolled back by the test');
    });
    await expect(attempt).rejects.toThrow('rolled back by the test');
  });
});
