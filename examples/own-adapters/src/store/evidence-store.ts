import { type AuditEvent, type EvidenceBatch, KmsError, type TenantId } from '@qnsp/kms-core';
import type {
  AuditEventType,
  ChainHead,
  Checkpoint,
  Delivery,
  DeliveryOutcome,
  EvidenceBacklog,
  EvidencePage,
  EvidenceQuery,
  EvidenceStore,
} from '@qnsp/kms-core/ports';
import type { Database, Row } from './database.ts';
import { claimDelivery, endDelivery, renewDelivery } from './deliveries.ts';
import { toBatch, toChainedEvent, toCheckpoint, valuesOf } from './evidence-rows.ts';
import { appendEvents } from './evidence-records.ts';
import type { UnitQueue } from './unit-queue.ts';

const GENESIS_HASH = '0'.repeat(64);

export class SqliteEvidenceStore implements EvidenceStore {
  readonly #queue: UnitQueue;

  constructor(queue: UnitQueue) {
    this.#queue = queue;
  }

  append(events: readonly AuditEvent[]): Promise<void> {
    return this.#run((database) => appendEvents(database, events));
  }

  async requireWritable(): Promise<void> {
    const takenBack = new Error('taken back');
    const probe = this.#run((database) => {
      database.run(`insert into outbox (tenant_id, event_type, event) values ('probe', 'probe', ?)`, 'x'.repeat(1500));
      throw takenBack;
    });
    await probe.catch((error: unknown) => {
      if (error !== takenBack) throw error;
    });
  }

  backlog(limit: number): Promise<EvidenceBacklog> {
    return this.#run((database) => {
      const number = (sql: string, ...values: readonly number[]) => Number(database.row(sql, ...values)?.['n']);
      const open = 'from chains where delivered < sequence';
      return {
        unsealed: number('select count(*) as n from (select 1 from outbox limit ?)', limit),
        undelivered: number(`select coalesce(sum(sequence - delivered), 0) as n ${open}`),
        refused: number('select count(*) as n from checkpoints where refusal is not null'),
        attempts: number(`select coalesce(max(attempts), 0) as n ${open}`),
      };
    });
  }

  backlogByTenant(limit: number): Promise<ReadonlyMap<TenantId, number>> {
    return this.#run((database) => {
      const rows = database.rows(
        `select tenant_id, sum(events) as events from (
          select tenant_id, 1 as events from (select tenant_id from outbox order by id limit ?)
          union all select tenant_id, sequence - delivered from chains where delivered < sequence
        ) group by tenant_id`,
        limit,
      );
      return new Map(rows.map((row) => [tenantOf(row), Number(row['events'])]));
    });
  }

  tenants(): Promise<readonly TenantId[]> {
    return this.#run((database) =>
      database.rows('select tenant_id from chains union select tenant_id from outbox').map(tenantOf),
    );
  }

  unsealedTenants(): Promise<readonly TenantId[]> {
    return this.#run((database) => database.rows('select distinct tenant_id from outbox').map(tenantOf));
  }

  newestType(tenantId: TenantId, types: readonly AuditEventType[]): Promise<AuditEventType | undefined> {
    const one = 'tenant_id = ? and event_type in (select value from json_each(?))';
    const values = [tenantId, JSON.stringify(types)];
    return this.#run((database) => {
      const row =
        database.row(`select event_type from outbox where ${one} order by id desc limit 1`, ...values) ??
        database.row(`select event_type from events where ${one} order by sequence desc limit 1`, ...values);
      return types.find((type) => type === row?.['event_type']);
    });
  }

  extendChain(tenantId: TenantId, limit: number, make: Parameters<EvidenceStore['extendChain']>[2]): Promise<number> {
    return this.#queue.run(async (database) => {
      const sql = 'select id, event from outbox where tenant_id = ? order by id limit ?';
      const waiting = database.rows(sql, tenantId, limit);
      if (waiting.length === 0) return 0;
      const head = headOf(database, tenantId);
      const batch = await make(
        head,
        waiting.map(({ event }): unknown => JSON.parse(String(event))),
      );
      const taken = batch.events.length;
      if (taken === 0 || taken > waiting.length || batch.head.sequence !== head.sequence + taken)
        throw new KmsError('INTERNAL_ERROR', 'A batch does not continue where the chain ends.');
      for (const { id } of waiting.slice(0, taken)) database.run('delete from outbox where id = ?', Number(id));
      addBatch(database, tenantId, batch);
      database.run(
        `insert into chains (tenant_id, sequence, hash, checkpoint) values (?, ?, ?, ?) on conflict do update
          set sequence = excluded.sequence, hash = excluded.hash, checkpoint = excluded.checkpoint`,
        tenantId,
        batch.head.sequence,
        batch.head.hash,
        batch.head.checkpoint,
      );
      return taken;
    });
  }

  async claimDelivery(owner: string, leaseSeconds: number): Promise<Delivery | undefined> {
    const claimed = await this.#run((database) => claimDelivery(database, owner, leaseSeconds));
    // Thrown after the lease is committed: as long as it lasts, this chain is out of the way of the others.
    if (claimed === 'missing') throw new KmsError('INTERNAL_ERROR', 'A batch is to be delivered that does not exist.');
    return claimed;
  }

  renewDelivery(owner: string, delivery: Delivery, leaseSeconds: number): Promise<void> {
    return this.#run((database) => renewDelivery(database, owner, delivery, leaseSeconds));
  }

  endDelivery(owner: string, delivery: Delivery, outcome: DeliveryOutcome): Promise<void> {
    return this.#run((database) => endDelivery(database, owner, delivery, outcome));
  }

  events(tenantId: TenantId, query: EvidenceQuery): Promise<EvidencePage> {
    const { limit, beforeSequence, keyId, eventType, actorId, result, from, to } = query;
    return this.#run((database) => {
      const rows = database.rows(
        `select * from events where tenant_id = ? and (?2 is null or sequence < ?2) and (?3 is null or key_id = ?3)
          and (?4 is null or event_type = ?4) and (?5 is null or actor_id = ?5) and (?6 is null or result = ?6)
          and (?7 is null or occurred_at >= ?7) and (?8 is null or occurred_at < ?8) order by sequence desc limit ?9`,
        tenantId,
        beforeSequence,
        keyId ?? null,
        eventType ?? null,
        actorId ?? null,
        result ?? null,
        from?.getTime() ?? null,
        to?.getTime() ?? null,
        limit + 1,
      );
      return { items: rows.slice(0, limit).map(toChainedEvent), more: rows.length > limit };
    });
  }

  batchOf(tenantId: TenantId, eventId: string): Promise<EvidenceBatch | undefined> {
    const sql = `select c.* from checkpoints c join events e on e.tenant_id = c.tenant_id
      and e.sequence between c.first_sequence and c.last_sequence where e.tenant_id = ? and e.event_id = ?`;
    return this.#run((database) => {
      const row = database.row(sql, tenantId, eventId);
      return row && toBatch(database, row);
    });
  }

  checkpoints(tenantId: TenantId, limit: number, beforeSequence: number | null): Promise<readonly Checkpoint[]> {
    const sql = `select * from checkpoints where tenant_id = ?1 and (?2 is null or first_sequence < ?2)
      order by first_sequence desc limit ?3`;
    return this.#run((database) => database.rows(sql, tenantId, beforeSequence, limit).map(toCheckpoint));
  }

  batchesAfter(tenantId: TenantId, sequence: number, limit: number): Promise<readonly EvidenceBatch[]> {
    const sql = 'select * from checkpoints where tenant_id = ? and first_sequence > ? order by first_sequence limit ?';
    return this.#run((database) => database.rows(sql, tenantId, sequence, limit).map((row) => toBatch(database, row)));
  }

  retire(before: Date, limit: number): Promise<number> {
    const sql = `select c.* from checkpoints c join chains h using (tenant_id) where c.sealed_at < ? and c.retired = 0
      and c.refusal is null and h.delivered >= c.last_sequence order by c.sealed_at, c.first_sequence limit ?`;
    return this.#run((database) => {
      const old = database.rows(sql, before.getTime(), limit);
      for (const row of old) {
        const batch = [tenantOf(row), Number(row['first_sequence'])];
        database.run('update checkpoints set retired = 1 where tenant_id = ? and first_sequence = ?', ...batch);
        database.run(
          'delete from events where tenant_id = ? and sequence between ? and ?',
          ...batch,
          Number(row['last_sequence']),
        );
      }
      return old.length;
    });
  }

  #run<T>(work: (database: Database) => T): Promise<T> {
    return this.#queue.run(async (database) => work(database));
  }
}

function tenantOf(row: Row): TenantId {
  return String(row['tenant_id']);
}

function headOf(database: Database, tenantId: TenantId): ChainHead {
  const row = database.row('select * from chains where tenant_id = ?', tenantId);
  if (row === undefined) return { tenantId, sequence: 0, hash: GENESIS_HASH, checkpoint: null, last: null };
  const last = 'select * from checkpoints where tenant_id = ? order by first_sequence desc limit 1';
  const lastRow = database.row(last, tenantId);
  const { sequence, hash, checkpoint } = row;
  return {
    tenantId,
    sequence: Number(sequence),
    hash: String(hash),
    checkpoint: checkpoint === null ? null : String(checkpoint),
    last: lastRow === undefined ? null : toCheckpoint(lastRow),
  };
}

function addBatch(database: Database, tenantId: TenantId, { events, checkpoint }: EvidenceBatch): void {
  const { firstSequence, lastSequence, timestamp } = checkpoint;
  database.run(
    'insert into checkpoints (tenant_id, first_sequence, last_sequence, checkpoint, sealed_at) values (?, ?, ?, ?, ?)',
    tenantId,
    firstSequence,
    lastSequence,
    JSON.stringify(checkpoint),
    Date.parse(timestamp),
  );
  for (const event of events)
    database.run('insert into events values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)', tenantId, ...valuesOf(event));
}
