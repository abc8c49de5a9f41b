import type { Delivery, DeliveryOutcome } from '@qnsp/kms-core';
import { and, asc, eq, sql } from 'drizzle-orm';
import type { Db } from '../driver.ts';
import { evidenceChains, evidenceCheckpoints, evidenceEvents } from '../schema/evidence.ts';
import { chainedEventColumns, toChainedEvent, toCheckpoint } from './evidence-rows.ts';

// The clock of the database decides about leases: those of the nodes may differ.
const now = sql`clock_timestamp()`;

/** Leases the chain of a tenant whose next batch is due, and reads that batch. */
export async function claimDelivery(db: Db, owner: string, leaseSeconds: number): Promise<Delivery | undefined> {
  const due = db
    .select({ tenantId: evidenceChains.tenantId })
    .from(evidenceChains)
    .where(
      sql`${evidenceChains.delivered} < ${evidenceChains.sequence}
        and coalesce(${evidenceChains.nextAttemptAt}, '-infinity') <= ${now}
        and coalesce(${evidenceChains.leaseUntil}, '-infinity') <= ${now}`,
    )
    .orderBy(sql`${evidenceChains.nextAttemptAt} asc nulls first`, asc(evidenceChains.tenantId))
    .limit(1)
    .for('update', { skipLocked: true });
  const [claimed] = await db
    .update(evidenceChains)
    .set({ leaseOwner: owner, leaseUntil: sql`${now} + make_interval(secs => ${leaseSeconds}::integer)` })
    .where(sql`${evidenceChains.tenantId} = (${due})`)
    .returning({
      tenantId: evidenceChains.tenantId,
      delivered: evidenceChains.delivered,
      attempts: evidenceChains.attempts,
    });
  if (claimed === undefined) return undefined;
  const next = and(
    eq(evidenceCheckpoints.tenantId, claimed.tenantId),
    eq(evidenceCheckpoints.firstSequence, claimed.delivered + 1),
  );
  const [row] = await db.select().from(evidenceCheckpoints).where(next);
  if (row === undefined) return undefined;
  const events = await db
    .select(chainedEventColumns)
    .from(evidenceEvents)
    .where(
      sql`${evidenceEvents.tenantId} = ${claimed.tenantId}
        and ${evidenceEvents.sequence} between ${row.firstSequence} and ${row.lastSequence}`,
    )
    .orderBy(asc(evidenceEvents.sequence));
  return { events: events.map(toChainedEvent), checkpoint: toCheckpoint(row), attempts: claimed.attempts };
}

/** Writes down how a delivery ended and gives up its lease. */
export async function endDelivery(
  db: Db,
  owner: string,
  { checkpoint, attempts }: Delivery,
  outcome: DeliveryOutcome,
): Promise<void> {
  const mine = and(
    eq(evidenceChains.tenantId, checkpoint.tenantId),
    eq(evidenceChains.leaseOwner, owner),
    eq(evidenceChains.delivered, checkpoint.firstSequence - 1),
  );
  const free = { leaseOwner: null, leaseUntil: null };
  if (outcome.kind === 'postponed') {
    const nextAttemptAt = sql`${now} + make_interval(secs => ${outcome.seconds}::double precision)`;
    await db
      .update(evidenceChains)
      .set({ ...free, attempts: attempts + 1, nextAttemptAt })
      .where(mine);
    return;
  }
  const passed = await db
    .update(evidenceChains)
    .set({ ...free, attempts: 0, nextAttemptAt: null, delivered: checkpoint.lastSequence })
    .where(mine)
    .returning({ tenantId: evidenceChains.tenantId });
  if (outcome.kind === 'delivered' || passed.length === 0) return;
  await db
    .update(evidenceCheckpoints)
    .set({ refusal: outcome.reason })
    .where(eq(evidenceCheckpoints.checkpointId, checkpoint.checkpointId));
}
