import { and, asc, inArray, isNull, lt, sql } from 'drizzle-orm';
import { builtOnce } from '../driver/built-once.ts';
import type { Db } from '../driver/driver.ts';
import { inOrder } from '../driver/in-order.ts';
import { evidenceChains, evidenceCheckpoints, evidenceEvents } from '../schema/evidence.ts';

/**
 * Removes the events of old, delivered batches and says so in their checkpoints, which stay. Returns the number of
 * batches.
 */
export async function retireBatches(db: Db, before: Date, limit: number): Promise<number> {
  const old = await db
    .select({
      checkpointId: evidenceCheckpoints.checkpointId,
      tenantId: evidenceCheckpoints.tenantId,
      first: evidenceCheckpoints.firstSequence,
      last: evidenceCheckpoints.lastSequence,
    })
    .from(evidenceCheckpoints)
    .where(
      and(
        lt(evidenceCheckpoints.sealedAt, before),
        isNull(evidenceCheckpoints.retiredAt),
        sql`exists (select from ${evidenceChains} h where h.tenant_id = ${evidenceCheckpoints}.tenant_id
          and h.delivered >= ${evidenceCheckpoints}.last_sequence)`,
        // The audit service does not have these: they stay until somebody has dealt with them.
        isNull(evidenceCheckpoints.refusal),
      ),
    )
    .orderBy(asc(evidenceCheckpoints.sealedAt), asc(evidenceCheckpoints.firstSequence))
    .limit(limit)
    .for('update', { skipLocked: true });
  const ids = old.map(({ checkpointId }) => checkpointId);
  if (ids.length === 0) return 0;
  await db
    .update(evidenceCheckpoints)
    .set({ retiredAt: sql`now()` })
    .where(inArray(evidenceCheckpoints.checkpointId, ids));
  await inOrder(old.map(({ tenantId, first, last }) => removeEvents(db).execute({ tenantId, first, last })));
  return ids.length;
}

/**
 * By place, which has an index, and batch by batch: of a range in a join the planner cannot tell how few rows it has.
 */
const removeEvents = builtOnce((db) =>
  db
    .delete(evidenceEvents)
    .where(
      sql`${evidenceEvents.tenantId} = ${sql.placeholder('tenantId')}
        and ${evidenceEvents.sequence} between ${sql.placeholder('first')}::bigint and ${sql.placeholder('last')}::bigint`,
    )
    .prepare('remove_events'),
);
