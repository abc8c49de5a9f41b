import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { getKey, type Kms, RECORD_FORMATS, rotateKey } from '@qnsp/kms-core/internal';
import { scopeOf } from '@qnsp/kms-core/testing';
import { openPostgresStore } from '@qnsp/kms-store-drizzle';
import { createDatabase, type TestDatabase } from '@qnsp/test-harness';
import type { Sql } from 'postgres';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { expectedFile, type Fixture, migrationTags } from './migration-fixtures/fixture-files.ts';
import { administrator, fixtureKms } from './migration-fixtures/fixture-kms.ts';
import { loadFixture } from './migration-fixtures/load-fixture.ts';
import { rawSql } from './raw-sql.ts';

// A node of the release before the formats of records, on connections that were open before the migration: it goes on
// with the statements that it has prepared, in the columns that it knows.

const BEFORE = '0012_fleet_nodes';
const { rootKey, uses } = JSON.parse(readFileSync(expectedFile(BEFORE), 'utf8')) as Fixture;
const caller = administrator(uses.tenantId);

const KEY_COLUMNS =
  'key_id, tenant_id, name, algorithm, purpose, protection_level, state, state_before_destroy, revocation_reason, revoked_at, current_version, rotation_period_seconds, rotation_auto, retain_versions, next_rotation_at, max_operations, expires_at, policy, metadata, parent_key_id, revision, created_at, updated_at, destroy_at, mac_tmk_version, mac_tag';
const VERSION_COLUMNS =
  'tenant_id, key_id, version, state, algorithm, origin, provider, material_kind, tmk_version, sealed, handle, public_key, created_at';
const TOKEN_COLUMNS =
  'token_id, tenant_id, name, hash, role, permissions, created_at, expires_at, revoked_at, mac_tmk_version, mac_tag';

let database: TestDatabase;
let earlier: Sql;
let kms: Kms;
let close: () => Promise<void>;

const STATEMENTS = {
  readKey: `select ${KEY_COLUMNS}, versions from kms.read_key($1, $2)`,
  getKey: `select ${KEY_COLUMNS}, versions from kms.key_records where tenant_id = $1 and key_id = $2`,
  findToken: `select ${TOKEN_COLUMNS} from kms.find_token($1)`,
  listTenants: 'select tenant_id, name, state, created_at from kms.tenants order by created_at, tenant_id',
  wraps:
    'select tenant_id, tmk_version, provider_id, root_check_value, wrapped from kms.tenant_master_key_wraps where tenant_id = $1',
} as const;

const statement = (name: keyof typeof STATEMENTS, ...values: (string | Buffer)[]) =>
  earlier.begin(async (tx) => {
    await tx`select set_config('role', 'kms_app', true), set_config('kms.scope', 'system', true)`;
    return tx.unsafe(STATEMENTS[name], values, { prepare: true });
  });
const hashes = () => earlier`select encode(hash, 'hex') as hash from kms.api_tokens where revoked_at is null limit 1`;

beforeAll(async () => {
  database = await createDatabase();
  await loadFixture(database.url, migrationTags().indexOf(BEFORE));
  earlier = rawSql(database.url);
  await readAll();
  const opened = await openPostgresStore({ url: database.url, ssl: 'disable', migrate: 'auto' });
  ({ close } = opened);
  // What the first new node does while others of the release before are there.
  kms = await fixtureKms(opened.store, Buffer.from(rootKey, 'base64'), { ...RECORD_FORMATS, written: 1 });
});
afterAll(async () => {
  await earlier.end();
  await close();
  await database.drop();
});

async function readAll(): Promise<unknown> {
  const [token] = await hashes();
  return [
    await statement('readKey', uses.tenantId, uses.mac.keyId),
    await statement('getKey', uses.tenantId, uses.mac.keyId),
    await statement('findToken', Buffer.from(String(token?.['hash']), 'hex')),
    await statement('listTenants'),
    await statement('wraps', uses.tenantId),
  ].map((rows) => rows.length);
}

it('reads by the statements that it had prepared before', async () => {
  expect(await readAll()).toEqual([1, 1, 1, expect.any(Number), 1]);
});

it('writes rows of format 1, which a new node verifies and changes', async () => {
  const record = await kms.store.readKey(uses.tenantId, uses.mac.keyId);
  if (record === undefined) throw new Error('the fixture has no such key');
  // The key again, under another id: the earlier release signs it as a new node does for its sake.
  const chain = await kms.hierarchy.masterKeys(uses.tenantId);
  const copy = chain.signRecord({
    ...record,
    keyId: randomUUID(),
    createdAt: new Date(1_780_000_000_000),
    mac: record.mac,
  });
  expect(copy.mac.format).toBe(1);
  await earlier.begin(async (tx) => {
    await tx.unsafe(
      `insert into kms.keys (${KEY_COLUMNS}) select $1, ${KEY_COLUMNS.replace('key_id, ', '').replace('created_at', '$2').replace('mac_tag', '$3')}
        from kms.keys where key_id = $4`,
      [copy.keyId, copy.createdAt.toISOString(), Buffer.from(copy.mac.tag), record.keyId],
    );
    await tx.unsafe(
      `insert into kms.key_versions (${VERSION_COLUMNS}) select ${VERSION_COLUMNS.replace('key_id', '$1')}
        from kms.key_versions where key_id = $2`,
      [copy.keyId, record.keyId],
    );
  });
  const stored = await kms.store.readKey(uses.tenantId, copy.keyId);
  expect(stored).toMatchObject({
    mac: { format: 1 },
    fields: {},
    versions: record.versions.map(() => ({ fields: {} })),
  });
  expect(await getKey({ kms, caller }, { keyId: copy.keyId })).toMatchObject({ keyId: copy.keyId });
  const [token] = await earlier`update kms.api_tokens set revoked_at = now() where revoked_at is null
    and tenant_id = ${uses.tenantId} returning mac_format, fields`;
  expect(token).toEqual({ mac_format: 1, fields: {} });
});

it('finds what a new node changes for its sake in format 1, and reads it', async () => {
  const { keyId } = uses.mac;
  await rotateKey({ kms, caller }, { keyId });
  const read = await kms.store.transact(scopeOf(uses.tenantId), (unit) => unit.keys.get(keyId));
  expect(read).toMatchObject({ mac: { format: 1 }, currentVersion: 2 });
  const [row] = await statement('readKey', uses.tenantId, keyId);
  expect(row).toMatchObject({ current_version: 2, versions: [{ version: 1 }, { version: 2 }] });
});
