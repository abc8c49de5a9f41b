import { KmsError, type TenantId } from '@qnsp/kms-core';
import type { EvidenceStore } from '@qnsp/kms-core/ports';
import { desc, eq, sql } from 'drizzle-orm';
import { builtOnce, placeholdersOf, valuesOf } from '../driver/built-once.ts';
import type { Db } from '../driver/driver.ts';
import { inOrder } from '../driver/in-order.ts';
import { kms } from '../schema/columns.ts';
import { evidenceChains, evidenceCheckpoints, evidenceEvents, evidenceOutbox } from '../schema/evidence.ts';
import { placeRows, toCheckpoint } from './evidence-rows.ts';

const GENESIS_HASH = '0'.repeat(64);

/** Seals the oldest unsealed events of a tenant in the transaction at hand. Answers how many. */
export async function extendChain(
  db: Db,
  tenantId: TenantId,
  limit: number,
  make: Parameters<EvidenceStore['extendChain']>[2],
): Promise<number> {
  // What is waiting is read by the statement after the lock, so it sees what the previous holder of the lock has
  // sealed.
  const [, [chain], [last], unsealed] = await inOrder([
    beginChain(db).execute({ tenantId }),
    lockChain(db).execute({ tenantId }),
    readLast(db).execute({ tenantId }),
    readUnsealed(db).execute({ tenantId, limit }),
  ]);
  // Without a chain, another node is working on it.
  if (chain === undefined || unsealed.length === 0) return 0;
  const { sequence, hash, checkpoint } = chain;
  const batch = await make(
    { tenantId, sequence, hash, checkpoint, last: last === undefined ? null : toCheckpoint(last) },
    unsealed.map(({ event }): unknown => JSON.parse(event)),
  );
  const taken = batch.events.length;
  if (taken === 0 || taken > unsealed.length || batch.head.sequence !== sequence + taken)
    throw new KmsError('INTERNAL_ERROR', 'A batch does not continue where the chain ends.');
  const ids = unsealed.slice(0, taken).map(({ id }) => id);
  const { checkpointId, firstSequence, lastSequence, timestamp } = batch.checkpoint;
  const checkpointRow = valuesOf(evidenceCheckpoints, {
    checkpointId,
    tenantId,
    firstSequence,
    lastSequence,
    sealedAt: new Date(timestamp),
    checkpoint: JSON.stringify(batch.checkpoint),
  });
  const places = placeRows(ids, batch.events);
  const [, moved] = await inOrder([
    addCheckpoint(db).execute(checkpointRow),
    moveEvents(db).execute({ tenantId, checkpointId, ids: `{${ids.join(',')}}`, places }),
    moveHead(db).execute({ ...batch.head, tenantId }),
  ]);
  if (moved.length !== taken)
    throw new KmsError('INTERNAL_ERROR', `Of ${taken} events to be sealed, ${moved.length} were still in the outbox.`);
  return taken;
}

const OF_TENANT = eq(evidenceChains.tenantId, sql.placeholder('tenantId'));

const beginChain = builtOnce((db) =>
  db
    .insert(evidenceChains)
    .values({ tenantId: sql`${sql.placeholder('tenantId')}`, hash: GENESIS_HASH })
    .onConflictDoNothing()
    .prepare('begin_chain'),
);

const lockChain = builtOnce((db) =>
  db.select().from(evidenceChains).where(OF_TENANT).for('update', { skipLocked: true }).prepare('lock_chain'),
);

const readLast = builtOnce((db) =>
  db
    .select({ checkpoint: evidenceCheckpoints.checkpoint })
    .from(evidenceCheckpoints)
    .where(eq(evidenceCheckpoints.tenantId, sql.placeholder('tenantId')))
    .orderBy(desc(evidenceCheckpoints.firstSequence))
    .limit(1)
    .prepare('read_last_checkpoint'),
);

const readUnsealed = builtOnce((db) =>
  db
    .select({ id: sql`id`.mapWith(evidenceOutbox.id), event: sql<string>`event` })
    .from(sql`${kms}.unsealed_events(${sql.placeholder('tenantId')}, ${sql.placeholder('limit')})`)
    .prepare('read_unsealed'),
);

const addCheckpoint = builtOnce((db) =>
  db.insert(evidenceCheckpoints).values(placeholdersOf(evidenceCheckpoints)).prepare('add_checkpoint'),
);

/**
 * The text of what waited goes into the chain unchanged, except for what names itself a repetition, which goes in under
 * the id that it names: the outbox refuses to release a row under a different id.
 */
const moveEvents = builtOnce((db) => {
  const waiting = evidenceOutbox;
  const sealed = db.$with('sealed').as(
    db
      .delete(waiting)
      .where(
        sql`${waiting.tenantId} = ${sql.placeholder('tenantId')} and ${waiting.id} = any(${sql.placeholder('ids')}::bigint[])`,
      )
      .returning({ tenantId: waiting.tenantId, id: waiting.id, event: waiting.event }),
  );
  return db
    .with(sealed)
    .insert(evidenceEvents)
    .select(
      sql`select tenant_id, sequence, event_id, ${sql.placeholder('checkpointId')}::uuid, occurred_at, event_type, actor_id,
          key_id, result, previous_hash, hash, coalesce(place.event, sealed.event)
        from ${sealed} join json_to_recordset(${sql.placeholder('places')}::json) as place (id bigint, sequence bigint,
          event_id uuid, occurred_at timestamptz, event_type text, actor_id text, key_id text, result text, previous_hash text, hash text,
          event text)
        using (id)`,
    )
    .returning({ sequence: evidenceEvents.sequence })
    .prepare('move_events');
});

const moveHead = builtOnce((db) =>
  db
    .update(evidenceChains)
    .set({
      sequence: sql`${sql.placeholder('sequence')}`,
      hash: sql`${sql.placeholder('hash')}`,
      checkpoint: sql`${sql.placeholder('checkpoint')}`,
    })
    .where(OF_TENANT)
    .prepare('move_head'),
);
