import type { TenantId } from '@qnsp/kms-core';
import type { Delivery, DeliveryOutcome } from '@qnsp/kms-core/ports';
import { asc, eq, sql } from 'drizzle-orm';
import { builtOnce } from '../driver/built-once.ts';
import type { Db } from '../driver/driver.ts';
import { inOrder } from '../driver/in-order.ts';
import { evidenceChains, evidenceCheckpoints, evidenceEvents } from '../schema/evidence.ts';
import { chainedEventColumns, toChainedEvent, toCheckpoint } from './evidence-rows.ts';

// The clock of the database decides about leases: those of the nodes may differ.
const now = sql`clock_timestamp()`;
/** Now, in the precision of a column, so that it is not rounded up into the future. */
const wholeNow = sql`date_trunc('milliseconds', ${now})`;

/** What a claim of the next batch found. */
export type Claimed =
  | { readonly kind: 'found'; readonly delivery: Delivery }
  /** The chain says that there is a batch, and there is none. */
  | { readonly kind: 'missing'; readonly tenantId: TenantId; readonly firstSequence: number };

/**
 * Leases the chain of a tenant whose next batch is due, and reads that batch. The tenant served last comes last, so
 * that one that always has a batch does not keep the others waiting.
 */
export async function claimDelivery(db: Db, owner: string, leaseSeconds: number): Promise<Claimed | undefined> {
  const [claimed] = await claimChain(db).execute({ owner, leaseSeconds });
  if (claimed === undefined) return undefined;
  const { tenantId, delivered, attempts } = claimed;
  const firstSequence = delivered + 1;
  const [[row], events] = await inOrder([
    readCheckpoint(db).execute({ tenantId, firstSequence }),
    readEvents(db).execute({ tenantId, firstSequence }),
  ]);
  if (row === undefined) return { kind: 'missing', tenantId, firstSequence };
  return { kind: 'found', delivery: { events: events.map(toChainedEvent), checkpoint: toCheckpoint(row), attempts } };
}

/** Keeps hold of the chain of a delivery in progress. */
export async function renewDelivery(
  db: Db,
  owner: string,
  { checkpoint }: Delivery,
  leaseSeconds: number,
): Promise<void> {
  const mine = { tenantId: checkpoint.tenantId, owner, firstSequence: checkpoint.firstSequence };
  await renew(db).execute({ ...mine, leaseSeconds });
}

/** Records how a delivery ended and gives up its lease. */
export async function endDelivery(
  db: Db,
  owner: string,
  { checkpoint, attempts }: Delivery,
  outcome: DeliveryOutcome,
): Promise<void> {
  const mine = { tenantId: checkpoint.tenantId, owner, firstSequence: checkpoint.firstSequence };
  if (outcome.kind === 'postponed') {
    await postpone(db).execute({ ...mine, attempts: attempts + 1, seconds: outcome.seconds });
    return;
  }
  const passed = await pass(db).execute({ ...mine, lastSequence: checkpoint.lastSequence });
  if (outcome.kind === 'delivered' || passed.length === 0) return;
  await db
    .update(evidenceCheckpoints)
    .set({ refusal: outcome.reason })
    .where(eq(evidenceCheckpoints.checkpointId, checkpoint.checkpointId));
}

const claimChain = builtOnce((db) => {
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
  return db
    .update(evidenceChains)
    .set({
      leaseOwner: sql`${sql.placeholder('owner')}`,
      leaseUntil: sql`${now} + make_interval(secs => ${sql.placeholder('leaseSeconds')}::integer)`,
    })
    .where(sql`${evidenceChains.tenantId} = (${due})`)
    .returning({
      tenantId: evidenceChains.tenantId,
      delivered: evidenceChains.delivered,
      attempts: evidenceChains.attempts,
    })
    .prepare('claim_chain');
});

const NEXT = sql`${evidenceCheckpoints.tenantId} = ${sql.placeholder('tenantId')}
  and ${evidenceCheckpoints.firstSequence} = ${sql.placeholder('firstSequence')}::bigint`;

const readCheckpoint = builtOnce((db) => db.select().from(evidenceCheckpoints).where(NEXT).prepare('read_checkpoint'));

const readEvents = builtOnce((db) => {
  const last = db.select({ last: evidenceCheckpoints.lastSequence }).from(evidenceCheckpoints).where(NEXT);
  return db
    .select(chainedEventColumns)
    .from(evidenceEvents)
    .where(
      sql`${evidenceEvents.tenantId} = ${sql.placeholder('tenantId')}
        and ${evidenceEvents.sequence} between ${sql.placeholder('firstSequence')}::bigint and (${last})`,
    )
    .orderBy(asc(evidenceEvents.sequence))
    .prepare('read_events');
});

const MINE = sql`${evidenceChains.tenantId} = ${sql.placeholder('tenantId')}
  and ${evidenceChains.leaseOwner} = ${sql.placeholder('owner')}
  and ${evidenceChains.delivered} = ${sql.placeholder('firstSequence')}::bigint - 1`;
const FREE = { leaseOwner: null, leaseUntil: null };

const LEASE_END = sql`${now} + make_interval(secs => ${sql.placeholder('leaseSeconds')}::integer)`;

const renew = builtOnce((db) =>
  db.update(evidenceChains).set({ leaseUntil: LEASE_END }).where(MINE).prepare('renew_delivery'),
);

const postpone = builtOnce((db) =>
  db
    .update(evidenceChains)
    .set({
      ...FREE,
      attempts: sql`${sql.placeholder('attempts')}::integer`,
      nextAttemptAt: sql`${wholeNow} + make_interval(secs => ${sql.placeholder('seconds')}::double precision)`,
    })
    .where(MINE)
    .prepare('postpone_delivery'),
);

const pass = builtOnce((db) =>
  db
    .update(evidenceChains)
    .set({
      ...FREE,
      attempts: 0,
      nextAttemptAt: wholeNow,
      delivered: sql`${sql.placeholder('lastSequence')}::bigint`,
    })
    .where(MINE)
    .returning({ tenantId: evidenceChains.tenantId })
    .prepare('pass_batch'),
);
