import type { Delivery, DeliveryOutcome, TenantId } from '@qnsp/kms-core';
import { and, asc, eq, sql } from 'drizzle-orm';
import type { Db } from '../driver.ts';
import { evidenceChains, evidenceCheckpoints, evidenceEvents } from '../schema/evidence.ts';
import { chainedEventColumns, toChainedEvent, toCheckpoint } from './evidence-rows.ts';

// The clock of the database decides about leases: those of the nodes may differ.
const now = sql`clock_timestamp()`;
/** Now as a column takes it without rounding it up, into the future. */
const wholeNow = sql`date_trunc('milliseconds', ${now})`;

/** What a claim of the next batch found. */
export type Claimed =
  | { readonly kind: 'found'; readonly delivery: Delivery }
  /** The chain says that there is a batch, and there is none. */
  | { readonly kind: 'missing'; readonly tenantId: TenantId; readonly firstSequence: number };

/**
 * Leases the chain of a tenant whose next batch is due, and reads that batch. Who was served last comes last, so that a
 * tenant that always has a batch does not keep the others waiting.
 */
export async function claimDelivery(db: Db, owner: string, leaseSeconds: number): Promise<Claimed | undefined> {
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
  const { tenantId, delivered, attempts } = claimed;
  const firstSequence = delivered + 1;
  const next = and(eq(evidenceCheckpoints.tenantId, tenantId), eq(evidenceCheckpoints.firstSequence, firstSequence));
  const [row] = await db.select().from(evidenceCheckpoints).where(next);
  if (row === undefined) return { kind: 'missing', tenantId, firstSequence };
  const events = await db
    .select(chainedEventColumns)
    .from(evidenceEvents)
    .where(
      sql`${evidenceEvents.tenantId} = ${tenantId}
        and ${evidenceEvents.sequence} between ${row.firstSequence} and ${row.lastSequence}`,
    )
    .orderBy(asc(evidenceEvents.sequence));
  return { kind: 'found', delivery: { events: events.map(toChainedEvent), checkpoint: toCheckpoint(row), attempts } };
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
    const nextAttemptAt = sql`${wholeNow} + make_interval(secs => ${outcome.seconds}::double precision)`;
    await db
      .update(evidenceChains)
      .set({ ...free, attempts: attempts + 1, nextAttemptAt })
      .where(mine);
    return;
  }
  const passed = await db
    .update(evidenceChains)
    .set({ ...free, attempts: 0, nextAttemptAt: wholeNow, delivered: checkpoint.lastSequence })
    .where(mine)
    .returning({ tenantId: evidenceChains.tenantId });
  if (outcome.kind === 'delivered' || passed.length === 0) return;
  await db
    .update(evidenceCheckpoints)
    .set({ refusal: outcome.reason })
    .where(eq(evidenceCheckpoints.checkpointId, checkpoint.checkpointId));
}
