import { type EvidenceStore, KmsError, type TenantId } from '@qnsp/kms-core';
import { and, asc, eq, inArray, sql } from 'drizzle-orm';
import type { Db } from '../driver.ts';
import { evidenceChains, evidenceCheckpoints, evidenceOutbox } from '../schema/evidence.ts';
import { eventRows } from './evidence-rows.ts';

const GENESIS_HASH = '0'.repeat(64);

/** Seals the oldest unsealed events of a tenant in the transaction at hand. Answers how many. */
export async function extendChain(
  db: Db,
  tenantId: TenantId,
  limit: number,
  make: Parameters<EvidenceStore['extendChain']>[2],
): Promise<number> {
  await db.insert(evidenceChains).values({ tenantId, hash: GENESIS_HASH }).onConflictDoNothing();
  const [chain] = await db
    .select()
    .from(evidenceChains)
    .where(eq(evidenceChains.tenantId, tenantId))
    .for('update', { skipLocked: true });
  // Another node is at it.
  if (chain === undefined) return 0;
  const unsealed = await db
    .select({ id: evidenceOutbox.id, event: evidenceOutbox.event })
    .from(evidenceOutbox)
    .where(eq(evidenceOutbox.tenantId, tenantId))
    .orderBy(asc(evidenceOutbox.id))
    .limit(limit);
  if (unsealed.length === 0) return 0;
  const { sequence, hash, checkpoint } = chain;
  const batch = await make(
    { tenantId, sequence, hash, checkpoint },
    unsealed.map(({ event }): unknown => JSON.parse(event)),
  );
  const taken = batch.events.length;
  if (taken === 0 || taken > unsealed.length || batch.head.sequence !== sequence + taken)
    throw new KmsError('INTERNAL_ERROR', 'A batch does not go on where the chain ends.');
  await db.insert(evidenceCheckpoints).values({
    checkpointId: batch.checkpoint.checkpointId,
    tenantId,
    firstSequence: batch.checkpoint.firstSequence,
    lastSequence: batch.checkpoint.lastSequence,
    sealedAt: new Date(batch.checkpoint.timestamp),
    checkpoint: JSON.stringify(batch.checkpoint),
  });
  await db.execute(sql`
    insert into kms.evidence_events (tenant_id, sequence, event_id, checkpoint_id, occurred_at, event_type, actor_id,
      key_id, result, previous_hash, hash, event)
    select tenant_id, sequence, event_id, checkpoint_id, occurred_at, event_type, actor_id, key_id, result, previous_hash,
      hash, event
    from json_to_recordset(${eventRows(batch)}::json) as e (tenant_id uuid, sequence bigint, event_id uuid,
      checkpoint_id uuid, occurred_at timestamptz, event_type text, actor_id text, key_id text, result text,
      previous_hash text, hash text, event text)`);
  await db
    .update(evidenceChains)
    .set({ sequence: batch.head.sequence, hash: batch.head.hash, checkpoint: batch.head.checkpoint })
    .where(eq(evidenceChains.tenantId, tenantId));
  const ids = unsealed.slice(0, taken).map(({ id }) => id);
  await db.delete(evidenceOutbox).where(and(eq(evidenceOutbox.tenantId, tenantId), inArray(evidenceOutbox.id, ids)));
  return taken;
}
