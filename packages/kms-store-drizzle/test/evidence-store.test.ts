import { type EvidenceStore, newId, type Store } from '@qnsp/kms-core/ports';
import {
  declareContract,
  evidenceStoreContract,
  looseBatch,
  newTenant,
  sampleEvent,
  seal,
} from '@qnsp/kms-core/testing';
import { openPgliteStore, openPostgresStore } from '@qnsp/kms-store-drizzle';
import { createDatabase, type TestDatabase } from '@qnsp/test-harness';
import type { Sql } from 'postgres';
import * as vitest from 'vitest';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
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

declareContract(
  evidenceStoreContract('evidence in PGlite', () => openPgliteStore({ dataDir: 'memory://' })),
  vitest,
);
declareContract(
  evidenceStoreContract('evidence in PostgreSQL', () =>
    openPostgresStore({ url: database.url, ssl: 'disable', migrate: 'auto' }),
  ),
  vitest,
);

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
