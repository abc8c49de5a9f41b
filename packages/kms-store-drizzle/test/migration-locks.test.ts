import { randomUUID } from 'node:crypto';
import { createDatabase, type TestDatabase } from '@qnsp/test-harness';
import { openPostgresStore } from '@qnsp/kms-store-drizzle';
import type { Sql } from 'postgres';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { migrationTags } from './migration-fixtures/fixture-files.ts';
import { loadFixture } from './migration-fixtures/load-fixture.ts';
import { rawSql } from './raw-sql.ts';

let database: TestDatabase;
let node: Sql;
let watcher: Sql;

beforeEach(async () => {
  database = await createDatabase();
  [node, watcher] = [rawSql(database.url), rawSql(database.url)];
});
afterEach(async () => {
  await Promise.all([node.end(), watcher.end()]);
  await database.drop();
});

async function migrate(): Promise<void> {
  const { close } = await openPostgresStore({ url: database.url, ssl: 'disable', migrate: 'only' });
  await close();
}

/** Until the migration, the one statement that does so here, waits for what a node has locked. */
async function untilItWaits(): Promise<void> {
  const waiting = async () =>
    watcher`select query from pg_stat_activity where datname = ${database.name} and state = 'active'
      and (wait_event_type = 'Lock' or wait_event = 'PgSleep')`;
  await vi.waitFor(async () => expect(await waiting()).toHaveLength(1), { timeout: 30_000, interval: 20 });
}

// A statement that finds no row takes the same locks on tables as one that does.
const writeTenant = `update kms.tenants set name = name where false`;
const writeAnswer = `update kms.idempotency_keys set answer = answer where false`;
const writeBinding = `update kms.identity_bindings set removed_at = removed_at where false`;
const writeKey = `update kms.keys set revision = revision where false`;
const writeVersion = `update kms.key_versions set state = state where false`;
const shareTenant = `select from kms.tenants for share`;

type Unit = readonly [name: string, statements: readonly [first: string, ...rest: string[]]];
const SHRED: Unit = ['a shred', [writeTenant, writeVersion, writeAnswer]];
const TOKEN: Unit = ['a new token', ['lock table kms.api_tokens in row exclusive mode', shareTenant]];
const CHANGE: Unit = [
  'a change of a key',
  ['select from kms.keys limit 1 for update', writeVersion, writeKey, shareTenant],
];

describe.each<[string, readonly Unit[]]>([
  [
    '0008_hsm',
    [
      SHRED,
      TOKEN,
      CHANGE,
      ['a lease', ['lock table kms.operation_leases in row exclusive mode', 'select from kms.keys limit 1']],
      ['a keyed call that makes a tenant', [writeAnswer, writeTenant]],
      ['a keyed change of a key', [writeAnswer, ...CHANGE[1]]],
    ],
  ],
  [
    '0012_fleet_nodes',
    [
      SHRED,
      TOKEN,
      CHANGE,
      ['a new tenant', [writeTenant, 'lock table kms.tenant_master_key_wraps in row exclusive mode']],
      ['a read of a key', ['select from kms.keys limit 1', 'select from kms.key_versions limit 1']],
    ],
  ],
  ['0013_record_formats', [TOKEN]],
  [
    '0021_removed_bindings_found',
    [
      SHRED,
      ['a keyed change of a key', [writeAnswer, ...CHANGE[1]]],
      ['a keyed call that makes a binding', [writeAnswer, shareTenant, writeBinding]],
      ['a search for bindings', ['select from kms.identity_bindings limit 1', 'select from kms.tenants limit 1']],
    ],
  ],
])('the migration of a database in use, as of %s,', (tag, units) => {
  beforeEach(() => loadFixture(database.url, migrationTags().indexOf(tag)));

  it.each(units)('waits for %s, which does not wait for it', async (_what, [first, ...rest]) => {
    let migrating: Promise<void> = Promise.resolve();
    await node.begin(async (tx) => {
      await tx.unsafe(first);
      migrating = migrate();
      await untilItWaits();
      for (const statement of rest) await tx.unsafe(statement);
    });
    await migrating;
  });
});

it('the tables of evidence are changed while nodes write to them without a pause', { timeout: 600_000 }, async () => {
  const busy = await createDatabase();
  await loadFixture(busy.url, migrationTags().indexOf('0009_invariants'));
  let isOver = false;
  const tenantId = randomUUID();
  const keepOn = async (work: (sql: Sql) => Promise<unknown>) => {
    const sql = rawSql(busy.url);
    let done = 0;
    for (; !isOver; done += 1) await work(sql);
    await sql.end();
    return done;
  };
  const rows = () =>
    JSON.stringify(Array.from({ length: 30 }, () => ({ tenant_id: tenantId, event_id: randomUUID(), event: '{}' })));
  const append = (sql: Sql) => sql.begin((tx) => tx`select kms.append_evidence(${rows()})`);
  const seal = (sql: Sql) =>
    sql.begin(async (tx) => {
      await tx`select from kms.evidence_chains limit 1 for update skip locked`;
      await tx`select from kms.evidence_outbox limit 100`;
      await tx`select pg_sleep(0.008)`;
      await tx`select from kms.evidence_events limit 1`;
    });
  const nodes = [append, append, append, append, seal, seal].map(keepOn);
  const opened = openPostgresStore({ url: busy.url, ssl: 'disable', migrate: 'only' });
  try {
    await (await opened).close();
  } finally {
    isOver = true;
  }
  // None of them failed, and each went on.
  for (const done of await Promise.all(nodes)) expect(done).toBeGreaterThan(1);
  await busy.drop();
});
