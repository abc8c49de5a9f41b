import { randomUUID } from 'node:crypto';
import { type ApiTokenRecord, type EvidenceStore, type KeyRecord, newId, type Store } from '@qnsp/kms-core/ports';
import {
  SYSTEM,
  asTenant,
  insertKey,
  newTenant,
  revoked,
  sampleApproval,
  sampleBinding,
  sampleDenial,
  sampleEvent,
  sampleKey,
  sampleMigration,
  sampleToken,
  sampleWrap,
  seal,
  shreddedTenant,
  someBytes,
  useRoot,
} from '@qnsp/kms-core/testing';
import { openPostgresStore } from '@qnsp/kms-store-drizzle';
import { createDatabase, type TestDatabase } from '@qnsp/test-harness';
import { drizzle } from 'drizzle-orm/postgres-js';
import type { Sql } from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DrizzleStore } from '../src/drizzle-store.ts';
import { namesIn } from '../src/driver/names.ts';
import { rawSql, underScope } from './raw-sql.ts';

/** What belongs to the service itself, and to no tenant. */
const SERVICE_TABLES = ['roots', 'database_copies', 'tombstones', 'commit_marks', 'fleet_nodes'];
const TABLES = [
  ...SERVICE_TABLES,
  'tenants',
  'tenant_master_key_wraps',
  'keys',
  'key_versions',
  'key_version_uses',
  'approvals',
  'key_counts',
  'operation_counts',
  'operation_leases',
  'api_tokens',
  'token_uses',
  'identity_bindings',
  'identity_denials',
  'idempotency_keys',
  'answer_counts',
  'evidence_outbox',
  'evidence_chains',
  'evidence_checkpoints',
  'evidence_events',
  'resident_claims',
  'key_migrations',
];

/** What shows rows of several tables; a query through one is bound like one of the tables themselves. */
const VIEWS = ['key_records', 'tombstones_now', 'tombstones_to_apply'];

describe('row-level security', () => {
  let database: TestDatabase;
  let store: Store;
  let evidence: EvidenceStore;
  let close: () => Promise<void>;
  let sql: Sql;
  let [mine, theirs] = ['', ''];
  let theirKey: KeyRecord;
  let theirToken: ApiTokenRecord;

  beforeAll(async () => {
    database = await createDatabase();
    const opened = await openPostgresStore({ url: database.url, ssl: 'disable', migrate: 'auto' });
    ({ store, evidence, close } = opened);
    sql = rawSql(database.url);
    await opened.copies.look();
    await opened.fleet.join({ nodeId: randomUUID(), version: '1.0.0', settings: {} }, 600_000, () => true);
    [mine, theirs] = [await newTenant(store), await newTenant(store)];
    await useRoot(store);
    for (const tenantId of [mine, theirs]) {
      await sql`insert into kms.tombstones values ('tenant', ${tenantId}, ${tenantId}, 'shredded', null, now())`;
      const parent = await insertKey(store, sampleKey(tenantId));
      const rotation = { periodSeconds: 60, auto: true, retainVersions: null, nextRotationAt: new Date('2031-01-01') };
      const key = await insertKey(store, sampleKey(tenantId, { rotation, parentKeyId: parent.keyId }));
      await asTenant(store, tenantId, async (unit) => {
        await unit.tenants.addMasterKeyWraps([sampleWrap(tenantId)]);
        await unit.residents.claim({
          providerId: 'hsm-a',
          name: { tenantId, keyId: newId(), version: 1 },
          kind: 'create',
        });
        const token = sampleToken(tenantId);
        if (tenantId === theirs) theirToken = token;
        await unit.tokens.insert(token);
        const ended = sampleToken(tenantId);
        await unit.tokens.insert(ended);
        await unit.tokens.revoke(revoked(ended, unit.now));
        await unit.identities.insert(sampleBinding(tenantId));
        await unit.identities.insertDenial(sampleDenial(tenantId, { endsAt: new Date(0) }));
        await unit.migrations.insert(sampleMigration(tenantId));
        await unit.idempotency.claim('k', someBytes(32));
        await unit.idempotency.complete('k', someBytes(8), 3600);
        await unit.approvals.insert(sampleApproval(tenantId));
        await unit.keys.addOperations(5);
        await unit.keys.leaseOperations({ keyId: key.keyId, version: 0, budget: 9, count: 1 });
      });
      await evidence.append([sampleEvent(tenantId), sampleEvent(tenantId)]);
      await seal(evidence, tenantId, 1);
      await store.transact(SYSTEM, async (unit) => {
        const { items } = await unit.tokens.list({ tenantId, limit: 10 });
        await unit.tokens.recordUses(new Map(items.map(({ tokenId }) => [tokenId, unit.now])));
        await unit.keys.recordUses([{ keyId: key.keyId, version: 1, protectedAt: unit.now, processedAt: null }]);
      });
      if (tenantId === theirs) theirKey = key;
    }
  });

  afterAll(async () => {
    await sql.end();
    await close();
    await database.drop();
  });

  it('binds every table, its owner too', async () => {
    const rows = await sql`
      select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'kms' and c.relkind = 'r' and c.relrowsecurity and c.relforcerowsecurity`;
    expect(rows.map((row) => String(row['name'])).sort()).toEqual([...TABLES].sort());
  });

  it.each(TABLES)('shows of %s no row of another tenant, though the statement asks for all', async (table) => {
    const rows = await underScope(sql, { kind: 'tenant', tenantId: mine }, (tx) =>
      tx.unsafe(`select * from kms.${table}`),
    );
    const owners = new Set(rows.map((row) => String(row['tenant_id'])));
    expect([...owners]).toEqual(SERVICE_TABLES.includes(table) ? [] : [mine]);
    const everything = await underScope(sql, SYSTEM, (tx) => tx.unsafe(`select * from kms.${table}`));
    expect(everything.length).toBeGreaterThan(rows.length);
  });

  it('has no view beside those that are tested here', async () => {
    const rows = await sql`
      select c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'kms' and c.relkind in ('v', 'm')`;
    expect(rows.map((row) => String(row['name'])).sort()).toEqual(VIEWS);
  });

  it.each(VIEWS)('shows through %s no row of another tenant, and nothing where no scope was set', async (view) => {
    const read = `select tenant_id from kms.${view} where tenant_id is not null`;
    const ofTenant = await underScope(sql, { kind: 'tenant', tenantId: mine }, (tx) => tx.unsafe(read));
    expect(ofTenant.filter((row) => row['tenant_id'] !== mine)).toEqual([]);
    const ofService = await underScope(sql, SYSTEM, (tx) => tx.unsafe(read));
    expect(ofService.map((row) => String(row['tenant_id']))).toContain(theirs);
    const ofNobody = await sql.begin(async (tx) => {
      await tx.unsafe('set local role kms_app');
      return tx.unsafe(read);
    });
    expect(ofNobody).toHaveLength(0);
  });

  it.each(TABLES)('shows of %s nothing where no scope was set', async (table) => {
    const rows = await sql.begin(async (tx) => {
      await tx.unsafe('set local role kms_app');
      return tx.unsafe(`select * from kms.${table}`);
    });
    expect(rows).toHaveLength(0);
  });

  it("does not change another tenant's rows, though the statement names them", async () => {
    const { keyId } = theirKey;
    const statements = [
      `update kms.keys set name = 'stolen', revision = revision + 1 where key_id = '${keyId}'`,
      `update kms.key_versions set material_kind = 'none', sealed = null, tmk_version = null where key_id = '${keyId}'`,
      `update kms.operation_leases set granted = granted + 1, last_grant = 1 where key_id = '${keyId}'`,
      `update kms.operation_counts set operations = operations + 1 where tenant_id = '${theirs}'`,
      `update kms.api_tokens set revoked_at = now() where tenant_id = '${theirs}' and revoked_at is null`,
      `update kms.identity_bindings set removed_at = now() where tenant_id = '${theirs}'`,
      `update kms.identity_denials set fields = '{"liftedAt":1}' where tenant_id = '${theirs}'`,
      `delete from kms.identity_denials where tenant_id = '${theirs}'`,
      `update kms.key_migrations set holder = 'x', revision = revision + 1 where tenant_id = '${theirs}'`,
      `update kms.tenants set state = 'shredded' where tenant_id = '${theirs}'`,
      `delete from kms.tenant_master_key_wraps where tenant_id = '${theirs}'`,
      `delete from kms.idempotency_keys where tenant_id = '${theirs}'`,
      `update kms.evidence_chains set lease_owner = 'x' where tenant_id = '${theirs}'`,
    ];
    for (const statement of statements) {
      const own = statement.replaceAll(theirs, mine).replace(`key_id = '${keyId}'`, `tenant_id = '${mine}'`);
      const counts: (number | null)[] = [];
      const attempt = underScope(sql, { kind: 'tenant', tenantId: mine }, async (tx) => {
        for (const text of [statement, own]) counts.push((await tx.unsafe(text)).count);
        throw new Error('rolled back by the test');
      });
      await expect(attempt, statement).rejects.toThrow('rolled back by the test');
      expect(counts[0], statement).toBe(0);
      expect(counts[1], statement).toBeGreaterThan(0);
    }
  });

  it('does not take a row for another tenant', async () => {
    const insert = (tenantId: string): Promise<unknown> =>
      underScope(sql, { kind: 'tenant', tenantId: mine }, (tx) =>
        tx.unsafe(
          `insert into kms.idempotency_keys (tenant_id, key, fingerprint) values ('${tenantId}', 'new', '\\x00')`,
        ),
      );
    await expect(insert(theirs)).rejects.toThrow('violates row-level security policy');
    await insert(mine);
  });

  it.each(TABLES)('takes into %s no row that is not of the tenant', async (table) => {
    const [theirRow] = SERVICE_TABLES.includes(table)
      ? await sql.unsafe(`select to_jsonb(t)::text as row from kms.${table} t limit 1`)
      : await sql.unsafe(`select to_jsonb(t)::text as row from kms.${table} t where tenant_id = '${theirs}' limit 1`);
    const attempt = underScope(sql, { kind: 'tenant', tenantId: mine }, (tx) =>
      tx.unsafe(
        `insert into kms.${table} overriding system value select * from jsonb_populate_record(null::kms.${table}, $1::text::jsonb)`,
        [String(theirRow?.['row'])],
      ),
    );
    // Nobody in the service writes tombstones.
    const refusal = table === 'tombstones' ? 'permission denied' : 'violates row-level security policy';
    await expect(attempt).rejects.toThrow(refusal);
  });

  it('gives the role no right to remove or rewrite what stays', async () => {
    const statements = [
      'delete from kms.keys',
      'delete from kms.key_versions',
      'delete from kms.operation_leases',
      'delete from kms.tenants',
      'truncate kms.api_tokens',
      'delete from kms.identity_bindings',
      'truncate kms.identity_bindings',
      'truncate kms.identity_denials',
      'truncate kms.key_migrations',
      `update kms.key_migrations set request = '{}'`,
      "update kms.identity_bindings set role = 'tenant_admin'",
      'update kms.identity_denials set before = now()',
      'truncate kms.keys cascade',
      "update kms.key_versions set algorithm = 'x'",
      "update kms.tenants set name = 'x'",
      "update kms.api_tokens set hash = '\\x00'",
      "update kms.roots set check_value = 'x'",
      "update kms.tenant_master_key_wraps set wrapped = '\\x00'",
      'alter table kms.keys disable row level security',
      'create table kms.more (id int)',
    ];
    for (const statement of statements) {
      const attempt = underScope(sql, SYSTEM, (tx) => tx.unsafe(statement));
      await expect(attempt, statement).rejects.toThrow(/permission denied|must be owner/);
    }
  });

  it('lets the role remove a token only of a tenant, and only one that expired before a time that it names', async () => {
    for (const scope of [SYSTEM, { kind: 'tenant', tenantId: theirs } as const])
      for (const before of ['', '2026-01-01']) {
        const attempt = underScope(sql, scope, async (tx) => {
          await tx`select set_config('kms.remove_tokens_before', ${before}, true)`;
          return tx`delete from kms.api_tokens`;
        });
        await expect(attempt).rejects.toThrow('only tokens of tenants that expired long ago are removed');
      }
  });

  it('binds the function that reads a key in one round trip', async () => {
    const [row] = await sql`select count(*)::int as found from kms.read_key(${mine}, ${theirKey.keyId})`;
    expect(row).toEqual({ found: 0 });
    // The role and the scope last as long as the statement: afterwards the connection is what it was.
    const [after] = await sql`select current_user::text as name, current_setting('kms.tenant_id', true) as tenant`;
    expect(after).toEqual({ name: 'postgres', tenant: '' });
    const inside = await underScope(
      sql,
      SYSTEM,
      (tx) => tx`
      select current_user::text as name from kms.read_key(${theirs}, ${theirKey.keyId})`,
    );
    expect([...inside]).toEqual([{ name: 'kms_app' }]);
  });

  it('is not what alone keeps tenants apart: the conditions of the store hold without it', async () => {
    const db = drizzle(sql);
    const unguarded = new DrizzleStore({
      names: namesIn(),
      // As a superuser, whom row-level security does not bind.
      async transaction(_scope, work) {
        await sql.unsafe('begin');
        try {
          return await work(db, new Date());
        } finally {
          await sql.unsafe('rollback');
        }
      },
      statement: async (query) => query(db),
      asOwner: (work) => work(db),
      close: async () => undefined,
    });
    const { keyId } = theirKey;
    await asTenant(unguarded, mine, async (unit) => {
      expect(await unit.keys.get(keyId)).toBeUndefined();
      expect(await unit.keys.get(keyId, { lock: true })).toBeUndefined();
      expect((await unit.keys.list({ limit: 200, after: null })).items).toHaveLength(2);
      expect(await unit.keys.count()).toEqual({
        byState: { active: 2 },
        byAlgorithm: { 'aes-256-gcm': 2 },
        operationsThisMonth: 5,
      });
      expect(await unit.keys.leaseOperations({ keyId, version: 0, budget: 9, count: 1 })).toBe(0);
      expect(await unit.keys.children(theirKey.parentKeyId ?? '')).toEqual([]);
      expect(await unit.keys.scheduledRotations(10, null)).toHaveLength(1);
      expect((await unit.tokens.list({ limit: 9 })).items.map((token) => token.tenantId)).toEqual([mine, mine]);
      expect(await unit.tokens.get(theirToken.tokenId)).toBeUndefined();
      expect((await unit.tokens.list({ tenantId: theirs, limit: 9 })).items).toEqual([]);
      await expect(unit.tokens.revoke(revoked(theirToken, unit.now))).rejects.toMatchObject({ code: 'NOT_FOUND' });
      expect((await unit.identities.list({ limit: 9 })).items.map((binding) => binding.tenantId)).toEqual([mine]);
      expect((await unit.tenants.list({ limit: 200 })).items.map((tenant) => tenant.tenantId)).toEqual([mine]);
      expect(await unit.tenants.get(theirs)).toBeUndefined();
      expect(await unit.tenants.masterKeyWraps(theirs)).toEqual([]);
      await expect(unit.tenants.shred(shreddedTenant(theirs))).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await expect(unit.keys.update({ ...theirKey, tenantId: mine }, 1)).rejects.toMatchObject({ code: 'CONFLICT' });
    });
  });
});
