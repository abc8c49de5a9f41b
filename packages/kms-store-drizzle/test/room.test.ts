import { KmsError, type TenantId } from '@qnsp/kms-core';
import { newId, type Room, type Store, type UnitOfWork } from '@qnsp/kms-core/ports';
import {
  asTenant,
  destroyed,
  insertKey,
  newTenant,
  sampleBinding,
  sampleDenial,
  sampleKey,
  sampleMac,
  sampleToken,
  someBytes,
} from '@qnsp/kms-core/testing';
import { openPostgresStore } from '@qnsp/kms-store-drizzle';
import { createDatabase, type TestDatabase } from '@qnsp/test-harness';
import type { Sql } from 'postgres';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { migrationTags } from './migration-fixtures/fixture-files.ts';
import { loadFixture } from './migration-fixtures/load-fixture.ts';
import { rawSql } from './raw-sql.ts';

type Adding = (unit: UnitOfWork, tenantId: TenantId, room: Room) => Promise<void>;

const ADDING: readonly (readonly [string, Adding])[] = [
  ['keys', (unit, tenantId, room) => unit.keys.insert(sampleKey(tenantId), room)],
  ['tokens', (unit, tenantId, room) => unit.tokens.insert(sampleToken(tenantId), room)],
  ['identityBindings', (unit, tenantId, room) => unit.identities.insert(sampleBinding(tenantId), room)],
  ['identityDenials', (unit, tenantId, room) => unit.identities.insertDenial(sampleDenial(tenantId), room)],
  [
    'keptAnswers',
    async (unit, _tenantId, room) => {
      const key = newId();
      await unit.idempotency.claim(key, someBytes(32), room);
      await unit.idempotency.complete(key, someBytes(8), 3600);
    },
  ],
];
const REFUSALS: ReadonlySet<string> = new Set(['QUOTA_EXCEEDED', 'TOO_MANY_REQUESTS']);

/** What only shows where units of several nodes run at the same time. */
describe('room on two nodes with one database', () => {
  let database: TestDatabase;
  let nodes: readonly [Store, Store];
  let sql: Sql;
  let close: () => Promise<void>;
  /** How many units the database takes at once, which decides when keys begin to wait for one another. */
  let underWay: number;

  beforeAll(async () => {
    database = await createDatabase();
    const open = () => openPostgresStore({ url: database.url, ssl: 'disable', migrate: 'auto' });
    const [one, other] = [await open(), await open()];
    nodes = [one.store, other.store];
    sql = rawSql(database.url);
    const [row] = await sql`select current_setting('max_connections')::integer as most`;
    underWay = Number(row?.['most']);
    close = async () => {
      await Promise.all([one.close(), other.close(), sql.end()]);
      await database.drop();
    };
  });
  afterAll(() => close());

  let turn = 0;
  /** Adds so many at once, half of them on each node. Answers how many were added; the others found no room. */
  async function addAtOnce(count: number, add: Adding, tenantId: TenantId, atMost: number): Promise<number> {
    const outcomes = await Promise.allSettled(
      Array.from({ length: count }, () =>
        asTenant(nodes[(turn += 1) % 2 === 0 ? 0 : 1], tenantId, (unit) => add(unit, tenantId, { atMost })),
      ),
    );
    for (const outcome of outcomes) {
      if (outcome.status === 'fulfilled') continue;
      if (!KmsError.is(outcome.reason) || !REFUSALS.has(outcome.reason.code)) throw outcome.reason;
      expect(outcome.reason.details).toMatchObject({ maximum: atMost, used: atMost });
    }
    return outcomes.filter(({ status }) => status === 'fulfilled').length;
  }

  it.each(ADDING)('is given to exactly three of fifty units that each add one of the %s', async (_kind, add) => {
    const tenantId = await newTenant(nodes[0]);
    expect(await addAtOnce(7, add, tenantId, 10)).toBe(7);
    expect(await addAtOnce(50, add, tenantId, 10)).toBe(3);
  });

  it.each(ADDING)('is exact also where %s are added side by side until there is little of it', async (_kind, add) => {
    const tenantId = await newTenant(nodes[0]);
    // A unit that is under way for as long as the others come near the limit: they do not see what it adds.
    const [slow, release] = await openUnit(add, tenantId, 3 * underWay);
    await asTenant(nodes[0], tenantId, async (unit) => {
      for (let added = 0; added < underWay; added += 1) await add(unit, tenantId, {});
    });
    const worker = async () => {
      for (let added = 0; ; added += 1) if ((await addAtOnce(1, add, tenantId, 3 * underWay)) === 0) return added;
    };
    const workers = Promise.all(Array.from({ length: 12 }, worker));
    await untilOneWaits();
    release();
    await slow;
    expect((await workers).reduce((sum, added) => sum + added)).toBe(2 * underWay - 1);
  });

  it.each(ADDING)('lets %s be added side by side while there is much of it', async (_kind, add) => {
    const tenantId = await newTenant(nodes[0]);
    const [slow, release] = await openUnit(add, tenantId, 3 * underWay);
    const others = await addAtOnce(10, add, tenantId, 3 * underWay);
    expect(others).toBe(10);
    release();
    await slow;
  });

  it.each(ADDING)('makes one of the %s wait for one that may take the last of it', async (_kind, add) => {
    const tenantId = await newTenant(nodes[0]);
    const [slow, release] = await openUnit(add, tenantId, 1);
    const second = addAtOnce(1, add, tenantId, 1);
    await untilOneWaits();
    release();
    await slow;
    expect(await second).toBe(0);
  });

  it('is given to a key whose parent is being destroyed, which does not wait for it', async () => {
    const tenantId = await newTenant(nodes[0]);
    const parent = await insertKey(nodes[0], sampleKey(tenantId));
    for (let round = 0; round < 5; round += 1) {
      const children = Array.from({ length: 6 }, () =>
        asTenant(nodes[1], tenantId, (unit) =>
          unit.keys.insert(sampleKey(tenantId, { parentKeyId: parent.keyId }), { atMost: 1000 * underWay }),
        ),
      );
      const destroying = Array.from({ length: 6 }, async () => {
        const key = await insertKey(nodes[0], sampleKey(tenantId));
        await asTenant(nodes[0], tenantId, async (unit) => {
          await unit.keys.get(parent.keyId, { lock: true });
          await unit.keys.get(key.keyId, { lock: true });
          await unit.keys.update(destroyed(key), 1);
        });
      });
      await Promise.all([...children, ...destroying]);
    }
  });

  it('is what is left of the keys that were there before they were counted', async () => {
    const older = await createDatabase();
    await loadFixture(older.url, migrationTags().indexOf('0017_master_key_rotation'));
    await (await openPostgresStore({ url: older.url, ssl: 'disable', migrate: 'only' })).close();
    const migrated = rawSql(older.url);
    const counted =
      await migrated`select tenant_id, sum(keys)::integer as keys from kms.key_counts group by 1 order by 1`;
    const there = await migrated`
      select tenant_id, count(*)::integer as keys from kms.keys where state <> 'destroyed' group by 1 order by 1`;
    expect(there.length).toBeGreaterThan(0);
    expect([...counted]).toEqual([...there]);
    await migrated.end();
    await older.drop();
  });

  it('is what is left of the answers that were kept before they were counted, expired ones as well', async () => {
    const older = await createDatabase();
    await loadFixture(older.url, migrationTags().indexOf('0021_removed_bindings_found'));
    const before = rawSql(older.url);
    const [tenant] = await before<{ tenant_id: string }[]>`select tenant_id from kms.tenants where state = 'active'
      and tenant_id <> '00000000-0000-0000-0000-000000000000'`;
    const tenantId = String(tenant?.tenant_id);
    await before`insert into kms.idempotency_keys select ${tenantId}, 'expired ' || n, '\\x00', '\\x00', now() - interval '1 hour' from generate_series(1, 40) n`;
    await before`insert into kms.idempotency_keys select ${tenantId}, 'kept ' || n, '\\x00', '\\x00', now() + interval '1 hour' from generate_series(1, 25) n`;
    await before`insert into kms.idempotency_keys values (${tenantId}, 'claimed', '\\x00', null, null)`;
    const [there] =
      await before`select count(*)::integer as kept from kms.idempotency_keys where tenant_id = ${tenantId} and expires_at > now()`;
    const kept = Number(there?.['kept']);
    expect(kept).toBeGreaterThanOrEqual(25);
    const { store, close: closeOlder } = await openPostgresStore({ url: older.url, ssl: 'disable', migrate: 'auto' });
    const usage = async () => (await asTenant(store, tenantId, (unit) => unit.tenants.usage(tenantId))).keptAnswers;
    expect(await usage()).toBe(kept);
    const keep = (key: string, atMost: number) =>
      asTenant(store, tenantId, async (unit) => {
        if ((await unit.idempotency.claim(key, someBytes(32), { atMost })) !== undefined) return;
        await unit.idempotency.complete(key, someBytes(8), 3600);
      });
    await keep('one more', kept + 1);
    await expect(keep('too many', kept + 1)).rejects.toMatchObject({ details: { maximum: kept + 1, used: kept + 1 } });
    await keep('kept 1', kept + 1);
    await keep('expired 40', kept + 2);
    expect(await usage()).toBe(kept + 2);
    await closeOlder();
    await before.end();
    await older.drop();
  });

  it('counts the answers that are there, whatever is kept, told again, expires or is removed side by side', async () => {
    const tenantId = await newTenant(nodes[0]);
    const keepOne = (index: number) =>
      asTenant(nodes[index % 2 === 0 ? 0 : 1], tenantId, async (unit) => {
        const key = `k ${index % 15}`;
        if ((await unit.idempotency.claim(key, someBytes(32), { atMost: 1000 * underWay })) !== undefined) return;
        await unit.idempotency.complete(key, someBytes(8), index % 3 === 0 ? 0 : 3600);
        if (index % 7 === 0) throw new Error('not after all');
      });
    const outcomes = await Promise.allSettled(Array.from({ length: 40 }, (_, index) => keepOne(index)));
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ message: 'not after all' });
    const [counted] =
      await sql`select (select sum(answers) from kms.answer_counts where tenant_id = ${tenantId})::integer as counted,
      (select count(*) from kms.idempotency_keys where tenant_id = ${tenantId} and answer is not null)::integer as kept`;
    expect(counted?.['kept']).toBeGreaterThan(5);
    expect(counted?.['counted']).toBe(counted?.['kept']);
    await nodes[0].transact({ kind: 'system' }, (unit) => unit.tenants.shred({ tenantId, mac: sampleMac() }));
    const [left] =
      await sql`select sum(answers)::integer as counted from kms.answer_counts where tenant_id = ${tenantId}`;
    expect(left?.['counted']).toBe(0);
  });

  async function untilOneWaits(): Promise<void> {
    const waiting = () => sql`select from pg_locks where locktype = 'advisory' and not granted`;
    await vi.waitFor(async () => expect((await waiting()).length).toBeGreaterThan(0), {
      timeout: 30_000,
      interval: 20,
    });
  }

  /** A unit that has added one and goes on until it is released. */
  async function openUnit(
    add: Adding,
    tenantId: TenantId,
    atMost: number,
  ): Promise<[ended: Promise<void>, release: () => void]> {
    const released = Promise.withResolvers<void>();
    const inserted = Promise.withResolvers<void>();
    const ended = asTenant(nodes[0], tenantId, async (unit) => {
      await add(unit, tenantId, { atMost });
      inserted.resolve();
      await released.promise;
    });
    await Promise.race([inserted.promise, ended]);
    return [ended, () => released.resolve()];
  }
});
