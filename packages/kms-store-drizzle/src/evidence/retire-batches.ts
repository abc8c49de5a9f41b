import { and, asc, inArray, isNull, lt, sql } from 'drizzle-orm';
import type { Db } from '../driver.ts';
import { evidenceChains, evidenceCheckpoints, evidenceEvents } from '../schema/evidence.ts';

/** Removes the events of old, delivered batches and says so in their checkpoints, which stay. Answers how many batches. */
export async function retireBatches(db: Db, before: Date, limit: number): Promise<number> {
  const old = await db
    .select({ checkpointId: evidenceCheckpoints.checkpointId })
    .from(evidenceCheckpoints)
    .where(
      and(
        lt(evidenceCheckpoints.sealedAt, before),
        isNull(evidenceCheckpoints.retiredAt),
        sql`exists (select from ${evidenceChains} h where h.tenant_id = ${evidenceCheckpoints}.tenant_id
          and h.delivered >= ${evidenceCheckpoints}.last_sequence)`,
        // The audit service does not have these: they stay until somebody has looked at them.
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
  // By place, which has an index, and not by checkpoint; as a join, which may begin with the few checkpoints.
  await db.execute(sql`
    delete from ${evidenceEvents} using ${evidenceCheckpoints} c
    where ${inArray(sql`c.checkpoint_id`, ids)} and ${evidenceEvents.tenantId} = c.tenant_id
      and ${evidenceEvents.sequence} between c.first_sequence and c.last_sequence`);
  return ids.length;
}
