import { type EvidenceStore, newId, type Store, type StoreScope, type UnitOfWork } from '@qnsp/kms-core/ports';
import {
  SYSTEM,
  newTenant,
  rotated,
  sampleEvent,
  scopeOf,
  seal,
  shreddedTenant,
  someBytes,
} from '@qnsp/kms-core/testing';
import { openPostgresStore } from '@qnsp/kms-store-drizzle';
import { createDatabase, type TestDatabase } from '@qnsp/test-harness';
import { drizzle } from 'drizzle-orm/postgres-js';
import type { Sql } from 'postgres';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Driver } from '../src/driver/driver.ts';
import { DrizzleEvidenceStore } from '../src/drizzle-evidence-store.ts';
import { DrizzleStore } from '../src/drizzle-store.ts';
import { namesIn } from '../src/driver/names.ts';
import { scopeStatement } from '../src/driver/scope.ts';
import { rawSql } from './raw-sql.ts';

interface Statement {
  readonly text: string;
  readonly parameters: readonly unknown[];
}

/** A driver that notes down the statements of its units and rolls everything back. */
function recordingDriver(sql: Sql, statements: Statement[]): Driver {
  const db = drizzle(sql, { logger: { logQuery: (text, parameters) => void statements.push({ text, parameters }) } });
  return {
    names: namesIn(),
    async transaction(scope, work) {
      await sql.unsafe(`begin; ${scopeStatement(namesIn(), scope)}`);
      try {
        return await work(db, new Date());
      } finally {
        await sql.unsafe('rollback');
      }
    },
    statement: async (query) => query(db),
    asOwner: (work) => work(db),
    close: async () => undefined,
  };
}

interface PlanCase {
  readonly name: string;
  readonly work: (unit: UnitOfWork) => Promise<unknown>;
  readonly indexes: readonly string[];
  readonly scope?: StoreScope;
}

interface EvidenceCase {
  readonly name: string;
  readonly work: () => Promise<unknown>;
  readonly indexes: readonly string[];
  /** Of the statements; the service's own without it. */
  readonly scope?: () => StoreScope;
}

const LARGE_TABLE_SCAN =
  /Seq Scan on (?:keys|key_versions|operation_leases|api_tokens|identity_bindings|identity_denials|key_migrations|idempotency_keys|resident_claims|evidence_(?:chains|checkpoints|events))/;

/** A long chain of one tenant with events that wait, and the chains of many others that are delivered to their end. */
function evidenceRows(tenantId: string): string {
  const event = JSON.stringify(sampleEvent(tenantId, { eventId: 'ID' }));
  return `
    insert into kms.evidence_chains (tenant_id, sequence, hash, delivered)
      select gen_random_uuid(), 10, 'x', 10 from generate_series(1, 5000);
    insert into kms.evidence_chains (tenant_id, sequence, hash, delivered) values ('${tenantId}', 20000, 'x', 19990);
    insert into kms.evidence_checkpoints (checkpoint_id, tenant_id, first_sequence, last_sequence, sealed_at, checkpoint)
      select gen_random_uuid(), '${tenantId}', 10 * n + 1, 10 * n + 10, now() + make_interval(secs => n - 100), '{}'
      from generate_series(0, 1999) n;
    insert into kms.evidence_events (tenant_id, sequence, event_id, checkpoint_id, occurred_at, event_type, actor_id, key_id,
        result, previous_hash, hash, event)
      select c.tenant_id, n, gen_random_uuid(), c.checkpoint_id, now(), 'type ' || n % 7, 'actor ' || n % 20,
        'key ' || n % 500, 'success', 'x', 'x', '${event}'
      from kms.evidence_checkpoints c, generate_series(c.first_sequence, c.last_sequence) n;
    insert into kms.evidence_outbox (tenant_id, event_id, event)
      select case when n % 10 = 0 then '${tenantId}'::uuid else gen_random_uuid() end, id, replace('${event}', 'ID', id::text)
      from (select n, gen_random_uuid() as id from generate_series(1, 5000) n) e`;
}

/** As many as a credential with some claims has. */
const manyNames = () => Array.from({ length: 200 }, () => someBytes(32));

function literal(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  const text = value instanceof Uint8Array ? `\\x${Buffer.from(value).toString('hex')}` : String(value);
  return `'${text.replaceAll("'", "''")}'`;
}

describe('query plans', () => {
  let database: TestDatabase;
  let close: () => Promise<void>;
  let sql: Sql;
  let store: Store;
  let evidence: EvidenceStore;
  const statements: Statement[] = [];
  let tenantId = '';
  let keyId = '';

  beforeAll(async () => {
    database = await createDatabase();
    const opened = await openPostgresStore({ url: database.url, ssl: 'disable', migrate: 'auto' });
    close = opened.close;
    const tenants = await Promise.all(Array.from({ length: 10 }, () => newTenant(opened.store)));
    tenantId = tenants[0] ?? '';
    sql = rawSql(database.url);
    // Filled in bulk, without the triggers: thousands of rows, most of them of the first tenant.
    await sql.begin(async (tx) => {
      await tx.unsafe(`set local session_replication_role = replica`);
      await tx.unsafe(`create temporary table tenant_list on commit drop as
        select tenant_id, row_number() over (order by tenant_id = '${tenantId}' desc) - 1 as number from kms.tenants`);
      await tx.unsafe(`insert into kms.keys (key_id, tenant_id, name, algorithm, purpose, protection_level, state, current_version,
          rotation_auto, rotation_period_seconds, next_rotation_at, state_before_destroy, destroy_at, metadata, parent_key_id, revision, created_at, updated_at, mac_tmk_version, mac_tag)
        select gen_random_uuid(), t.tenant_id, 'name ' || i, 'algorithm ' || i % 7, 'purpose ' || i % 5, 'software',
          case when i % 50 = 0 then 'deactivated' when i % 11 = 0 then 'suspended' else 'active' end, 1,
          i % 20 = 0, 3600, case when i % 20 = 0 then now() + make_interval(mins => i - 100) end,
          case when i % 50 = 0 then 'active' end, case when i % 50 = 0 then now() + make_interval(mins => i - 100) end,
          '{}', null, 1, now() - make_interval(secs => i), now(), 1, sha256('')
        from generate_series(1, 20000) i join tenant_list t on t.number = case when i % 4 = 0 then i % 10 else 0 end`);
      await tx.unsafe(`insert into kms.key_versions (tenant_id, key_id, version, state, algorithm, origin, provider, material_kind, tmk_version, sealed, created_at)
        select tenant_id, key_id, 1, 'active', algorithm, 'generated', 'software', 'sealed', 1, sha256(''), created_at from kms.keys`);
      await tx.unsafe(`insert into kms.operation_leases select tenant_id, key_id, 0, 1, 1 from kms.keys`);
      await tx.unsafe(
        `insert into kms.api_tokens select gen_random_uuid(), tenant_id, 'x', sha256(uuid_send(key_id)), null, '{}', created_at from kms.keys`,
      );
      await tx.unsafe(
        `insert into kms.identity_bindings select gen_random_uuid(), tenant_id, 'issuer', '{}', sha256(uuid_send(key_id)), null, '{}', null, created_at, 'x', null, case when hashtext(key_id::text) % 2 = 0 then now() end, 2, 1, sha256('') from kms.keys`,
      );
      await tx.unsafe(
        `insert into kms.identity_denials select gen_random_uuid(), tenant_id, 'issuer', 'sub', 'x', sha256(uuid_send(key_id)), created_at, created_at + interval '1 day', created_at, 'x', 2, 1, sha256('') from kms.keys`,
      );
      await tx.unsafe(
        `insert into kms.key_migrations select gen_random_uuid(), tenant_id, 'completed', created_at, now(), '{}', '{}', null, created_at, 1, 1, 1, sha256('') from kms.keys`,
      );
      await tx.unsafe(
        `insert into kms.key_migrations select gen_random_uuid(), gen_random_uuid(), 'running', now(), null, '{}', '{}', null, now() + make_interval(mins => i - 100), 1, 1, 1, sha256('') from generate_series(1, 5000) i`,
      );
      await tx.unsafe(
        `insert into kms.idempotency_keys select tenant_id, key_id::text, sha256(''), sha256(''), now() + interval '1 hour' from kms.keys`,
      );
      await tx.unsafe(
        `insert into kms.resident_claims select tenant_id, key_id, 1, 'hsm ' || row_number() over () % 100, 'create', now() from kms.keys`,
      );
      await tx.unsafe(evidenceRows(tenantId));
    });
    await sql.unsafe('analyze');
    const [row] = await sql`select key_id from kms.keys where tenant_id = ${tenantId} and state = 'active' limit 1`;
    keyId = String(row?.['key_id']);
    const driver = recordingDriver(sql, statements);
    store = new DrizzleStore(driver);
    evidence = new DrizzleEvidenceStore(driver);
  });

  afterAll(async () => {
    await sql.end();
    await close();
    await database.drop();
  });

  /** The plans of all statements of a unit, as PostgreSQL keeps them for prepared statements: without the parameters. */
  async function plansOf(scope: StoreScope, work: (unit: UnitOfWork) => Promise<unknown>): Promise<string[]> {
    return plansOfAll(scope, () => store.transact(scope, work));
  }

  async function plansOfAll(scope: StoreScope, work: () => Promise<unknown>): Promise<string[]> {
    statements.length = 0;
    await work();
    const plans: string[] = [];
    for (const { text, parameters } of statements) {
      await sql.unsafe(
        `begin; ${scopeStatement(namesIn(), scope)}; set local plan_cache_mode = force_generic_plan; prepare plan as ${text}`,
      );
      const values = parameters.length === 0 ? '' : `(${parameters.map(literal).join(', ')})`;
      const lines = await sql.unsafe(`explain execute plan${values}`);
      plans.push(lines.map((line) => String(line['QUERY PLAN'])).join('\n'));
      await sql.unsafe('rollback; deallocate plan');
    }
    return plans;
  }

  const cases: readonly PlanCase[] = [
    {
      name: 'a key and its versions',
      work: (unit) => unit.keys.get(keyId),
      indexes: ['keys_of_tenant', 'key_versions_pkey'],
    },
    {
      name: 'the lock of a key',
      work: (unit) => unit.keys.get(keyId, { lock: true }),
      indexes: ['keys_of_tenant', 'key_versions_pkey'],
    },
    { name: 'a rotation', work: rotate, indexes: ['keys_of_tenant', 'key_versions_pkey'] },
    { name: 'the newest keys', work: (unit) => unit.keys.list({ limit: 50, after: null }), indexes: ['keys_newest'] },
    {
      name: 'the next page',
      work: (unit) => unit.keys.list({ limit: 50, after: { createdAt: new Date(), keyId } }),
      indexes: ['keys_newest'],
    },
    {
      name: 'keys by state',
      work: (unit) => unit.keys.list({ limit: 50, after: null, state: 'deactivated' }),
      indexes: ['keys_by_state'],
    },
    {
      name: 'keys by algorithm',
      work: (unit) => unit.keys.list({ limit: 50, after: null, algorithm: 'algorithm 3' }),
      indexes: ['keys_by_algorithm'],
    },
    {
      name: 'keys by purpose',
      work: (unit) => unit.keys.list({ limit: 50, after: null, purpose: 'purpose 3' }),
      indexes: ['keys_by_purpose'],
    },
    {
      name: 'keys by name',
      work: (unit) => unit.keys.list({ limit: 50, after: null, name: 'name 77' }),
      indexes: ['keys_by_name'],
    },
    {
      name: 'the next rotations',
      work: (unit) => unit.keys.scheduledRotations(10, null),
      indexes: ['keys_rotation_of_tenant'],
    },
    {
      name: 'a lease',
      work: (unit) => unit.keys.leaseOperations({ keyId, version: 0, budget: 10, count: 1 }),
      indexes: ['keys_of_tenant'],
    },
    { name: 'an idempotent call', work: idempotent, indexes: ['idempotency_keys_pkey', 'idempotency_keys_expired'] },
    {
      name: 'due rotations',
      work: (unit) => unit.keys.lockDue('rotation', 10),
      indexes: ['keys_rotation_due', 'keys_pkey'],
      scope: SYSTEM,
    },
    {
      name: 'due destructions',
      work: (unit) => unit.keys.lockDue('destruction', 10),
      indexes: ['keys_destruction_due', 'keys_pkey'],
      scope: SYSTEM,
    },
    { name: 'tokens', work: (unit) => unit.tokens.list({ limit: 50 }), indexes: ['api_tokens_newest'] },
    {
      name: 'a later page of tokens',
      work: (unit) => unit.tokens.list({ limit: 50, after: { createdAt: new Date(), tokenId: newId() } }),
      indexes: ['api_tokens_newest'],
    },
    {
      name: 'identity bindings',
      work: (unit) => unit.identities.list({ limit: 50, after: { createdAt: new Date(), bindingId: newId() } }),
      indexes: ['identity_bindings_newest'],
    },
    {
      name: 'denials',
      work: (unit) => unit.identities.listDenials({ limit: 50, after: { createdAt: new Date(), denialId: newId() } }),
      indexes: ['identity_denials_newest'],
    },
    {
      name: 'what is known of somebody',
      work: (unit) => unit.identities.find({ bindings: manyNames(), denials: [someBytes(32), someBytes(32)] }, 1001),
      indexes: ['identity_bindings_found', 'identity_denials_found'],
      scope: SYSTEM,
    },
    {
      name: 'what a tenant knows of somebody',
      work: (unit) => unit.identities.find({ bindings: manyNames(), denials: [someBytes(32), someBytes(32)] }, 1001),
      indexes: ['identity_bindings_found', 'identity_denials_found'],
    },
    {
      name: 'who let somebody in once',
      work: (unit) =>
        unit.identities.findRemoved({ names: manyNames(), removedAfter: new Date(0), limit: 1000, ofTenant: 10 }),
      indexes: ['identity_bindings_removed'],
      scope: SYSTEM,
    },
    {
      name: 'whether a tenant let somebody in once',
      work: (unit) =>
        unit.identities.findRemoved({ names: manyNames(), removedAfter: new Date(0), limit: 1000, ofTenant: 10 }),
      indexes: ['identity_bindings_removed'],
    },
    {
      name: 'migrations',
      work: (unit) => unit.migrations.list({ limit: 50, after: { createdAt: new Date(), migrationId: newId() } }),
      indexes: ['key_migrations_newest'],
    },
    { name: 'a read outside of units', work: () => readKeyBody(), indexes: ['keys_of_tenant', 'key_versions_pkey'] },
    { name: 'the search of a token', work: () => findTokenBody(), indexes: ['api_tokens_hash'], scope: SYSTEM },
  ];

  it.each(cases)('reach $name by an index, in its order', async ({ work, indexes, scope }) => {
    const plans = (await plansOf(scope ?? scopeOf(tenantId), work)).join('\n');
    for (const index of indexes) expect(plans).toContain(index);
    expect(plans).not.toMatch(LARGE_TABLE_SCAN);
    expect(plans).not.toContain('Sort');
  });

  it.each<PlanCase>([
    { name: 'children', work: (unit) => unit.keys.children(keyId), indexes: ['keys_by_parent'] },
    { name: 'counts', work: (unit) => unit.keys.count(), indexes: [] },
    {
      name: 'the end of a tenant',
      work: (unit) => unit.tenants.shred(shreddedTenant(tenantId)),
      indexes: ['key_versions_by_master_key'],
    },
    {
      name: 'the live tokens of a tenant',
      work: (unit) => unit.tokens.list({ limit: 5, lockLive: true }),
      indexes: ['api_tokens_newest'],
    },
  ])('reach $name without reading the rows of other tenants', async ({ work, indexes }) => {
    const plans = (await plansOf(scopeOf(tenantId), work)).join('\n');
    for (const index of indexes) expect(plans).toContain(index);
    expect(plans).not.toMatch(LARGE_TABLE_SCAN);
  });

  it('reach due migrations by an index; a tenant has one that runs, so there are few to sort', async () => {
    const plans = (await plansOf(SYSTEM, (unit) => unit.migrations.lockDue(20, [newId()]))).join('\n');
    expect(plans).toContain('key_migrations_due');
    expect(plans).not.toMatch(LARGE_TABLE_SCAN);
  });

  it.each<EvidenceCase>([
    { name: 'the seal of a batch', work: () => seal(evidence, tenantId, 5), indexes: ['evidence_outbox_pkey'] },
    {
      name: 'a delivery',
      work: () => evidence.claimDelivery('node', 60),
      indexes: ['evidence_chains_undelivered', 'evidence_checkpoints_place', 'evidence_events_pkey'],
    },
    {
      name: 'the batches to retire',
      work: () => evidence.retire(new Date(), 5),
      indexes: ['evidence_checkpoints_', 'evidence_events_pkey'],
    },
    { name: 'what waits', work: () => evidence.backlog(1000), indexes: ['evidence_checkpoints_refused'] },
    {
      name: 'the newest events',
      work: () => evidence.events(tenantId, { limit: 50, beforeSequence: null }),
      indexes: ['evidence_events_pkey'],
      scope: () => scopeOf(tenantId),
    },
    {
      name: 'the events of a key',
      work: () => evidence.events(tenantId, { limit: 50, beforeSequence: null, keyId: 'key 7' }),
      indexes: ['evidence_events_key'],
      scope: () => scopeOf(tenantId),
    },
    {
      name: 'the batch of an event',
      work: () => evidence.batchOf(tenantId, newId()),
      indexes: ['evidence_events_id'],
      scope: () => scopeOf(tenantId),
    },
    {
      name: 'checkpoints',
      work: () => evidence.checkpoints(tenantId, 50, null),
      indexes: ['evidence_checkpoints_place'],
      scope: () => scopeOf(tenantId),
    },
    {
      name: 'an export',
      work: () => evidence.batchesAfter(tenantId, 500, 5),
      indexes: ['evidence_checkpoints_place', 'evidence_events_pkey'],
      scope: () => scopeOf(tenantId),
    },
    {
      name: 'the claims of an HSM',
      work: () => store.transact(SYSTEM, (unit) => unit.residents.claims('hsm 7')),
      indexes: ['resident_claims_of_provider'],
    },
    {
      name: 'the keys in an HSM',
      work: () => store.transact(SYSTEM, (unit) => unit.residents.versions('hsm 7')),
      indexes: ['key_versions_resident_in'],
    },
    {
      name: 'tokens that ended',
      work: () =>
        store.transact(SYSTEM, async (unit) => {
          await unit.tokens.lockExpired(new Date(), 100);
          await unit.tokens.lockExpired(new Date(), 100, { expiredAt: new Date(), tokenId: newId() });
        }),
      indexes: ['api_tokens_expired'],
    },
    { name: 'what tombstones end', work: tombstonesBody, indexes: ['keys_pkey', 'api_tokens_pkey'] },
  ])('reach $name without reading a large table', async ({ work, indexes, scope }) => {
    const plans = (await plansOfAll(scope?.() ?? SYSTEM, work)).join('\n');
    for (const index of indexes) expect(plans).toContain(index);
    expect(plans).not.toMatch(LARGE_TABLE_SCAN);
  });

  it('a rotation is three statements, and a read of a key is one', async () => {
    await plansOf(scopeOf(tenantId), (unit) => unit.keys.get(keyId));
    expect(statements).toHaveLength(1);
    await plansOf(scopeOf(tenantId), rotate);
    expect(statements.slice(1).map(({ text }) => text.split(' ', 2).join(' '))).toEqual([
      'update "kms"."keys"',
      'update "kms"."key_versions"',
      'insert into',
    ]);
  });

  async function rotate(unit: UnitOfWork): Promise<void> {
    const key = await unit.keys.get(keyId);
    if (key === undefined) throw new Error('the key is gone');
    await unit.keys.update(rotated(key), key.revision);
  }

  async function idempotent(unit: UnitOfWork): Promise<void> {
    await unit.idempotency.claim('new', someBytes(32));
    await unit.idempotency.complete('new', someBytes(8), 60);
    await unit.idempotency.claim(keyId, someBytes(32));
  }

  /** What the functions of the hot reads run, which EXPLAIN does not look into. */
  async function readKeyBody(): Promise<void> {
    const text = 'select * from kms.key_records r where r.tenant_id = $1 and r.key_id = $2';
    statements.push({ text, parameters: [tenantId, keyId] });
  }

  /** The view as the start of a service on a restored copy reads it. */
  async function tombstonesBody(): Promise<void> {
    statements.push({ text: 'select * from kms.tombstones_to_apply', parameters: [] });
  }

  async function findTokenBody(): Promise<void> {
    statements.push({ text: 'select * from kms.api_tokens t where t.hash = $1', parameters: [someBytes(32)] });
  }
});
