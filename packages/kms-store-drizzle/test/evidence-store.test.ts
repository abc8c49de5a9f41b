import { type EvidenceStore, newId, type Store } from '@qnsp/kms-core';
import { asTenant, newTenant } from '@qnsp/kms-core/testing';
import { openPgliteStore, openPostgresStore } from '@qnsp/kms-store-drizzle';
import { createDatabase, type TestDatabase } from '@qnsp/test-harness';
import type { Sql } from 'postgres';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { looseBatch, sampleEvent, seal } from './evidence-samples.ts';
import { rawSql } from './raw-sql.ts';

interface Opened {
  readonly store: Store;
  readonly evidence: EvidenceStore;
  close(): Promise<void>;
}

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});
afterAll(() => database.drop());

const STORES: Readonly<Record<string, () => Promise<Opened>>> = {
  PGlite: () => openPgliteStore({ dataDir: 'memory://' }),
  PostgreSQL: () => openPostgresStore({ url: database.url, ssl: 'disable', migrate: 'auto' }),
};

function open(name: string): Promise<Opened> {
  const opening = STORES[name];
  if (opening === undefined) throw new Error(`there is no store ${name}`);
  return opening();
}

describe.each(Object.keys(STORES))('evidence in %s', (name) => {
  let opened: Opened;
  let store: EvidenceStore;
  let tenantId: string;

  beforeAll(async () => {
    opened = await open(name);
    store = opened.evidence;
  });
  beforeEach(async () => {
    tenantId = await newTenant(opened.store);
    // Batches of other tests must not be claimed in this one.
    for (
      let left = await store.claimDelivery('cleaner', 60);
      left !== undefined;
      left = await store.claimDelivery('cleaner', 60)
    )
      await store.endDelivery('cleaner', left, { kind: 'delivered' });
  });
  afterAll(() => opened.close());

  it('keeps events as they were given and seals them in their order, without gaps', async () => {
    const events = Array.from({ length: 5 }, () => sampleEvent(tenantId));
    await store.append(events.slice(0, 3));
    await store.append(events.slice(3));
    expect(await store.unsealedTenants()).toContain(tenantId);
    expect([await seal(store, tenantId, 2), await seal(store, tenantId, 2), await seal(store, tenantId)]).toEqual([
      2, 2, 1,
    ]);
    expect(await seal(store, tenantId)).toBe(0);
    expect(await store.unsealedTenants()).not.toContain(tenantId);
    const batches = await store.batchesAfter(tenantId, 0, 10);
    expect(batches.flatMap((batch) => batch.events.map(({ event }) => event))).toEqual(events);
    expect(batches.flatMap((batch) => batch.events.map(({ sequence }) => sequence))).toEqual([1, 2, 3, 4, 5]);
    expect((await store.batchesAfter(tenantId, 2, 1)).map(({ checkpoint }) => checkpoint.firstSequence)).toEqual([3]);
    expect((await store.checkpoints(tenantId, 2, null)).map(({ lastSequence }) => lastSequence)).toEqual([5, 4]);
    expect((await store.checkpoints(tenantId, 2, 3)).map(({ lastSequence }) => lastSequence)).toEqual([2]);
    expect((await store.batchOf(tenantId, events[2]?.eventId ?? ''))?.events).toHaveLength(2);
  });

  it('adds events of a unit of work with it, or not at all', async () => {
    const kept = sampleEvent(tenantId);
    await asTenant(opened.store, tenantId, (unit) => unit.evidence.append([kept]));
    const failing = asTenant(opened.store, tenantId, async (unit) => {
      await unit.evidence.append([sampleEvent(tenantId)]);
      throw new Error('the unit failed');
    });
    await expect(failing).rejects.toThrow('the unit failed');
    const foreign = asTenant(opened.store, tenantId, (unit) => unit.evidence.append([sampleEvent(newId())]));
    await expect(foreign).rejects.toMatchObject({ code: 'TENANT_MISMATCH' });
    await seal(store, tenantId);
    const { items } = await store.events(tenantId, { limit: 10, beforeSequence: null });
    expect(items.map(({ event }) => event)).toEqual([kept]);
  });

  it('keeps nothing of a batch that is not well made', async () => {
    await store.append([sampleEvent(tenantId)]);
    const fail = store.extendChain(tenantId, 10, () => Promise.reject(new Error('no signature')));
    await expect(fail).rejects.toMatchObject({ code: 'INTERNAL_ERROR' });
    const jump = store.extendChain(tenantId, 10, (head, waiting) => looseBatch({ ...head, sequence: 7 }, waiting));
    await expect(jump).rejects.toMatchObject({ code: 'INTERNAL_ERROR' });
    expect(await seal(store, tenantId)).toBe(1);
    expect(await store.checkpoints(tenantId, 10, null)).toHaveLength(1);
  });

  it('extends a chain by one node at a time', async () => {
    await store.append(Array.from({ length: 60 }, () => sampleEvent(tenantId)));
    const nodes = Array.from({ length: 6 }, async () => {
      for (let turn = 0; turn < 20; turn += 1) await seal(store, tenantId, 7);
    });
    await Promise.all(nodes);
    while ((await seal(store, tenantId, 7)) > 0);
    const sequences = (await store.batchesAfter(tenantId, 0, 100)).flatMap(({ events }) =>
      events.map((each) => each.sequence),
    );
    expect(sequences).toEqual(Array.from({ length: 60 }, (_, index) => index + 1));
  });

  it('keeps a batch for its owner for as long as that renews it', async () => {
    await store.append([sampleEvent(tenantId)]);
    await seal(store, tenantId, 1);
    const first = await store.claimDelivery('a', 60);
    if (first === undefined) throw new Error('a batch is due');
    await store.renewDelivery('a', first, 0);
    const second = await store.claimDelivery('b', 0);
    if (second === undefined) throw new Error('a batch is due');
    await store.renewDelivery('b', second, 60);
    expect(await store.claimDelivery('a', 60)).toBeUndefined();
    await store.endDelivery('b', second, { kind: 'delivered' });
  });

  it('gives the batches of a tenant to one owner at a time, in their order', async () => {
    await store.append([sampleEvent(tenantId), sampleEvent(tenantId)]);
    await seal(store, tenantId, 1);
    await seal(store, tenantId, 1);
    const first = await store.claimDelivery('a', 60);
    if (first === undefined) throw new Error('a batch is due');
    expect(first.checkpoint).toMatchObject({ tenantId, firstSequence: 1 });
    expect(await store.claimDelivery('b', 60)).toBeUndefined();
    await store.renewDelivery('b', first, 0);
    expect(await store.claimDelivery('b', 60)).toBeUndefined();
    await store.endDelivery('b', first, { kind: 'delivered' });
    expect(await store.claimDelivery('b', 60)).toBeUndefined();
    await store.endDelivery('a', first, { kind: 'delivered' });
    expect((await store.claimDelivery('b', 0))?.checkpoint).toMatchObject({ tenantId, firstSequence: 2 });
    // The lease of b is over: whatever b says then counts no more once another has it.
    const second = await store.claimDelivery('a', 60);
    if (second === undefined) throw new Error('a batch is due');
    await store.endDelivery('b', second, { kind: 'refused', reason: 'late' });
    await store.endDelivery('a', second, { kind: 'delivered' });
    expect(await store.claimDelivery('a', 60)).toBeUndefined();
  });

  it('waits before it gives a postponed batch again, and counts the attempts', async () => {
    await store.append([sampleEvent(tenantId)]);
    await seal(store, tenantId);
    const before = await store.backlog(1_000_000);
    expect(before.undelivered).toBe(1);
    const first = await store.claimDelivery('a', 60);
    if (first === undefined) throw new Error('a batch is due');
    await store.endDelivery('a', first, { kind: 'postponed', seconds: 0 });
    const again = await store.claimDelivery('a', 60);
    if (again === undefined) throw new Error('a batch is due');
    expect(again).toEqual({ ...first, attempts: 1 });
    await store.endDelivery('a', again, { kind: 'postponed', seconds: 3600 });
    expect(await store.claimDelivery('a', 60)).toBeUndefined();
  });

  it('counts what waits, not how far apart it is, and no further than it is asked to', async () => {
    const stuck = await newTenant(opened.store);
    const before = (await store.backlog(1_000_000)).unsealed;
    await store.append([sampleEvent(stuck)]);
    await store.append(Array.from({ length: 50 }, () => sampleEvent(tenantId)));
    await seal(store, tenantId);
    await store.append([sampleEvent(tenantId)]);
    expect((await store.backlog(1_000_000)).unsealed).toBe(before + 2);
    expect((await store.backlog(1)).unsealed).toBe(1);
    const byTenant = await store.backlogByTenant(1_000_000);
    const { unsealed, undelivered } = await store.backlog(1_000_000);
    expect([...byTenant.values()].reduce((sum, events) => sum + events, 0)).toBe(unsealed + undelivered);
    await seal(store, tenantId);
    await seal(store, stuck);
  });

  it('gives every tenant its turn, also beside one that always has a batch', async () => {
    const quiet = await newTenant(opened.store);
    await store.append(Array.from({ length: 3 }, () => sampleEvent(tenantId)));
    await store.append([sampleEvent(quiet), sampleEvent(quiet)]);
    for (const each of [tenantId, tenantId, tenantId, quiet, quiet]) await seal(store, each, 1);
    const served: string[] = [];
    for (let turn = 0; turn < 5; turn += 1) {
      const due = await store.claimDelivery('a', 60);
      if (due === undefined) throw new Error('a batch is due');
      served.push(due.checkpoint.tenantId);
      await store.endDelivery('a', due, { kind: 'delivered' });
    }
    expect(served).toEqual([tenantId, quiet, tenantId, quiet, tenantId]);
  });

  it('goes on after a batch that was refused for ever, and keeps it', async () => {
    await store.append([sampleEvent(tenantId), sampleEvent(tenantId)]);
    await seal(store, tenantId, 1, new Date('2020-01-01'));
    await seal(store, tenantId, 1, new Date('2020-01-01'));
    const { refused } = await store.backlog(1_000_000);
    const first = await store.claimDelivery('a', 60);
    if (first === undefined) throw new Error('a batch is due');
    await store.endDelivery('a', first, { kind: 'refused', reason: 'the audit service answered 422' });
    expect((await store.backlog(1_000_000)).refused).toBe(refused + 1);
    const second = await store.claimDelivery('a', 60);
    if (second === undefined) throw new Error('a batch is due');
    await store.endDelivery('a', second, { kind: 'delivered' });
    await store.retire(new Date(), 100);
    expect((await store.batchesAfter(tenantId, 0, 10)).map(({ events }) => events.length)).toEqual([1, 0]);
  });

  it('retires what is old and delivered, and keeps its checkpoints', async () => {
    await store.append([sampleEvent(tenantId), sampleEvent(tenantId), sampleEvent(tenantId)]);
    await seal(store, tenantId, 1, new Date('2020-01-01'));
    await seal(store, tenantId, 1, new Date('2020-01-02'));
    await seal(store, tenantId, 1, new Date('2030-01-01'));
    expect(await store.retire(new Date('2025-01-01'), 100)).toBe(0);
    for (const _ of [1, 2, 3]) {
      const due = await store.claimDelivery('a', 60);
      if (due !== undefined) await store.endDelivery('a', due, { kind: 'delivered' });
    }
    expect([await store.retire(new Date('2025-01-01'), 1), await store.retire(new Date('2025-01-01'), 100)]).toEqual([
      1, 1,
    ]);
    expect((await store.batchesAfter(tenantId, 0, 10)).map(({ events }) => events.length)).toEqual([0, 0, 1]);
  });
});

describe('a chain whose next batch is not there', () => {
  it('is reported, and does not hold up the others', async () => {
    const opened = await openPostgresStore({ url: database.url, ssl: 'disable', migrate: 'auto' });
    const sql = rawSql(database.url);
    const [broken, whole] = [await newTenant(opened.store), await newTenant(opened.store)];
    await opened.evidence.append([sampleEvent(broken), sampleEvent(whole)]);
    await seal(opened.evidence, broken);
    await sql.unsafe('alter table kms.evidence_checkpoints disable trigger user');
    await sql.unsafe(`update kms.evidence_checkpoints set first_sequence = 2 where tenant_id = '${broken}'`);
    await sql.unsafe('alter table kms.evidence_checkpoints enable trigger user');
    await expect(opened.evidence.claimDelivery('a', 60)).rejects.toThrow(`event 1 of the tenant ${broken}`);
    await seal(opened.evidence, whole);
    expect((await opened.evidence.claimDelivery('a', 60))?.checkpoint.tenantId).toBe(whole);
    await sql.end();
    await opened.close();
  });
});

describe('evidence in PostgreSQL, whoever writes', () => {
  let opened: Opened;
  let sql: Sql;
  let tenantId: string;
  beforeAll(async () => {
    opened = await openPostgresStore({ url: database.url, ssl: 'disable', migrate: 'auto' });
    sql = rawSql(database.url);
    tenantId = await newTenant(opened.store);
    await opened.evidence.append([sampleEvent(tenantId), sampleEvent(tenantId)]);
    await seal(opened.evidence, tenantId, 1);
  });
  afterAll(async () => {
    await sql.end();
    await opened.close();
  });

  it.each([
    ['an event is edited', `update kms.evidence_events set event = '{}' where tenant_id = 'T'`],
    ['an event is deleted', `delete from kms.evidence_events where tenant_id = 'T'`],
    ['events are emptied', 'truncate kms.evidence_events cascade'],
    ['a waiting event is edited', `update kms.evidence_outbox set event = '{}' where tenant_id = 'T'`],
    ['a waiting event is deleted', `delete from kms.evidence_outbox where tenant_id = 'T'`],
    ['the outbox is emptied', 'truncate kms.evidence_outbox'],
    ['a checkpoint is edited', `update kms.evidence_checkpoints set checkpoint = '{}' where tenant_id = 'T'`],
    ['a checkpoint is deleted', `delete from kms.evidence_checkpoints where tenant_id = 'T'`],
    [
      'a batch is retired before it was delivered',
      `update kms.evidence_checkpoints set retired_at = now() where tenant_id = 'T'`,
    ],
    ['a chain is set back', `update kms.evidence_chains set sequence = 0 where tenant_id = 'T'`],
    ['a chain gets another head', `update kms.evidence_chains set hash = 'x' where tenant_id = 'T'`],
    ['a chain is deleted', `delete from kms.evidence_chains where tenant_id = 'T'`],
    [
      'a place is taken twice',
      `insert into kms.evidence_events select * from kms.evidence_events where tenant_id = 'T'`,
    ],
  ])('refuses it when %s', async (_what, statement) => {
    await expect(sql.unsafe(statement.replace('T', tenantId))).rejects.toThrow();
    expect(await opened.evidence.batchesAfter(tenantId, 0, 10)).toHaveLength(1);
  });
});

/** What PostgreSQL said, within the error of the store. */
function causedBy(reason: string) {
  return { cause: { message: expect.stringContaining(reason) as string } };
}

describe('evidence that waits in PostgreSQL', () => {
  let opened: Opened;
  let sql: Sql;
  let tenantId: string;
  beforeAll(async () => {
    opened = await openPostgresStore({ url: database.url, ssl: 'disable', migrate: 'auto' });
    sql = rawSql(database.url);
  });
  beforeEach(async () => {
    tenantId = await newTenant(opened.store);
  });
  afterAll(async () => {
    await sql.end();
    await opened.close();
  });

  it('is not sealed a second time under another id', async () => {
    const event = sampleEvent(tenantId);
    await opened.evidence.append([event]);
    await seal(opened.evidence, tenantId);
    await sql`insert into kms.evidence_outbox (tenant_id, event_id, event)
      values (${tenantId}, gen_random_uuid(), ${JSON.stringify(event)})`;
    await expect(seal(opened.evidence, tenantId)).rejects.toMatchObject(causedBy('evidence_events_id'));
    expect(await opened.evidence.batchesAfter(tenantId, 0, 10)).toHaveLength(1);
  });

  it('is not sealed under an id that its event does not name', async () => {
    await sql`insert into kms.evidence_outbox (tenant_id, event_id, event)
      values (${tenantId}, gen_random_uuid(), ${JSON.stringify(sampleEvent(tenantId))})`;
    await expect(seal(opened.evidence, tenantId)).rejects.toMatchObject(causedBy('only into its chain'));
    expect(await opened.evidence.batchesAfter(tenantId, 0, 10)).toEqual([]);
  });

  it('is sealed whole or not at all', async () => {
    await opened.evidence.append([sampleEvent(tenantId), sampleEvent(tenantId)]);
    const sealing = opened.evidence.extendChain(tenantId, 10, async (head, waiting) => {
      // Only who gets around triggers can do this.
      await sql.begin(async (tx) => {
        await tx`set local session_replication_role = replica`;
        await tx`delete from kms.evidence_outbox where ctid =
          (select ctid from kms.evidence_outbox where tenant_id = ${tenantId} order by id limit 1)`;
      });
      return looseBatch(head, waiting);
    });
    await expect(sealing).rejects.toMatchObject({ code: 'INTERNAL_ERROR', message: /Of 2 events .* 1 / });
    expect(await opened.evidence.checkpoints(tenantId, 10, null)).toEqual([]);
    expect(await seal(opened.evidence, tenantId)).toBe(1);
  });

  it('is taken from nodes that are older than the functions of today, and sealed by them', async () => {
    const [event, other] = [sampleEvent(tenantId), sampleEvent(tenantId)];
    const rows = [event, other].map((each) => ({
      tenant_id: tenantId,
      event_id: each.eventId,
      event: JSON.stringify(each),
    }));
    await sql.begin((tx) => tx`select kms.append_evidence(${JSON.stringify(rows)})`);
    await seal(opened.evidence, tenantId, 1);
    const sealAsBefore = (ids: readonly string[]) =>
      sql.begin(async (tx) => {
        await tx`insert into kms.evidence_events select tenant_id, 2, ${other.eventId}, checkpoint_id, occurred_at, event_type,
          actor_id, key_id, result, hash, hash, ${JSON.stringify(other)} from kms.evidence_events where tenant_id = ${tenantId}`;
        await tx`delete from kms.evidence_outbox where tenant_id = ${tenantId} and id in ${tx(ids)}`;
      });
    const waiting = await sql<{ id: string }[]>`select id::text from kms.evidence_outbox where tenant_id = ${tenantId}`;
    await sealAsBefore(waiting.map(({ id }) => id));
    const { items } = await opened.evidence.events(tenantId, { limit: 10, beforeSequence: null });
    expect(items.map((each) => each.event)).toEqual([other, event]);
  });
});

describe('evidence in a new database', () => {
  let fresh: TestDatabase;
  let opened: Opened;
  let sql: Sql;
  beforeAll(async () => {
    fresh = await createDatabase();
    // One connection, whose plans were all made while the tables were empty.
    opened = await openPostgresStore({ url: fresh.url, ssl: 'disable', migrate: 'auto', poolMax: 1 });
    sql = rawSql(fresh.url);
  });
  afterAll(async () => {
    await sql.end();
    await fresh.drop();
  });

  it('is sealed without reading what was sealed before', async () => {
    const tenantId = newId();
    const batches = 20;
    for (let batch = 0; batch < batches; batch += 1) {
      await opened.evidence.append(Array.from({ length: 100 }, () => sampleEvent(tenantId)));
      expect(await seal(opened.evidence, tenantId)).toBe(100);
    }
    // What a connection counted is seen once it is over.
    await opened.close();
    const [row] = await sql`select (select seq_tup_read from pg_stat_user_tables where relname = 'evidence_events')
      + (select sum(idx_tup_read) from pg_stat_user_indexes where relname = 'evidence_events') as read`;
    // The place of each event is looked up once or twice, but for the first ones, when all of them are read as fast.
    const read = Number(row?.['read']);
    expect(read).toBeGreaterThanOrEqual(100 * batches);
    expect(read).toBeLessThan(50 * 100 * batches);
  });
});
