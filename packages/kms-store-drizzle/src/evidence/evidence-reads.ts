import type { AuditEvent, EvidenceBatch, TenantId } from '@qnsp/kms-core';
import type { AuditEventType, Checkpoint, EvidenceBacklog, EvidencePage, EvidenceQuery } from '@qnsp/kms-core/ports';
import { and, asc, desc, eq, gt, gte, inArray, lt, or, type SQL, sql } from 'drizzle-orm';
import type { Db } from '../driver/driver.ts';
import { evidenceChains, evidenceCheckpoints, evidenceEvents, evidenceOutbox } from '../schema/evidence.ts';
import { chainedEventColumns, toChainedEvent, toCheckpoint } from './evidence-rows.ts';

/**
 * What is waiting. Rows are counted rather than derived from ids, which may lie far apart when one row stays; counting
 * stops at the limit, so that a full outbox does not get slower.
 */
export async function backlog(db: Db, limit: number): Promise<EvidenceBacklog> {
  const rows = db
    .select({ one: sql`1`.as('one') })
    .from(evidenceOutbox)
    .limit(limit)
    .as('rows');
  const unsealed = await db.$count(rows);
  const undelivered = sql`coalesce(sum(${evidenceChains.sequence} - ${evidenceChains.delivered}), 0)`.mapWith(Number);
  // In the words of the partial index.
  const attempts = sql`coalesce(max(${evidenceChains.attempts}), 0)`.mapWith(Number);
  const [chains] = await db
    .select({ undelivered, attempts })
    .from(evidenceChains)
    .where(sql`${evidenceChains.delivered} < ${evidenceChains.sequence}`);
  const refused = await db.$count(evidenceCheckpoints, sql`${evidenceCheckpoints.refusal} is not null`);
  return { unsealed, undelivered: chains?.undelivered ?? 0, refused, attempts: chains?.attempts ?? 0 };
}

/** What waits by tenant, the same events that {@link backlog} counts. */
export async function backlogByTenant(db: Db, limit: number): Promise<ReadonlyMap<TenantId, number>> {
  const rows = sql`(
    select tenant_id, count(*) as events from (select tenant_id from ${evidenceOutbox} limit ${limit}) as outbox
    group by tenant_id
    union all
    select tenant_id, sequence - delivered from ${evidenceChains} where delivered < sequence
  ) as waiting`;
  const events = sql`sum(events)`.mapWith(Number);
  const found = await db.select({ tenantId: sql<TenantId>`tenant_id`, events }).from(rows).groupBy(sql`tenant_id`);
  return new Map(found.map((row) => [row.tenantId, row.events]));
}

/** Goes from one tenant to the next in the index: the time does not grow with the rows of a tenant. */
export async function unsealedTenants(db: Db): Promise<readonly TenantId[]> {
  const tenants = sql`(
    with recursive found (tenant_id) as (
      (select tenant_id from ${evidenceOutbox} order by tenant_id limit 1)
      union all
      select (select o.tenant_id from ${evidenceOutbox} o where o.tenant_id > f.tenant_id order by o.tenant_id limit 1)
      from found f where f.tenant_id is not null
    )
    select tenant_id from found where tenant_id is not null
  ) as tenants`;
  const rows = await db.select({ tenantId: sql<TenantId>`tenant_id` }).from(tenants);
  return rows.map(({ tenantId }) => tenantId);
}

export async function chainTenants(db: Db): Promise<readonly TenantId[]> {
  const rows = await db
    .select({ tenantId: evidenceChains.tenantId })
    .from(evidenceChains)
    .orderBy(evidenceChains.tenantId);
  return rows.map(({ tenantId }) => tenantId);
}

/** What waits is newer than what is sealed. */
export async function newestType(
  db: Db,
  tenantId: TenantId,
  types: readonly AuditEventType[],
): Promise<AuditEventType | undefined> {
  if (types.length === 0) return undefined;
  // As text: PostgreSQL refuses to look into JSON that holds U+0000. The quotes of a string within an event are escaped, so
  // none of them can hold this.
  const isOne = types.map((type) => sql`position(${`"eventType":"${type}"`} in ${evidenceOutbox.event}) > 0`);
  const [waiting] = await db
    .select({ event: evidenceOutbox.event })
    .from(evidenceOutbox)
    .where(and(eq(evidenceOutbox.tenantId, tenantId), or(...isOne)))
    .orderBy(desc(evidenceOutbox.id))
    .limit(1);
  if (waiting !== undefined) return (JSON.parse(waiting.event) as AuditEvent).eventType;
  const [sealed] = await db
    .select({ event: evidenceEvents.event })
    .from(evidenceEvents)
    .where(and(eq(evidenceEvents.tenantId, tenantId), inArray(evidenceEvents.eventType, [...types])))
    .orderBy(desc(evidenceEvents.sequence))
    .limit(1);
  return sealed === undefined ? undefined : (JSON.parse(sealed.event) as AuditEvent).eventType;
}

export async function listEvents(db: Db, tenantId: TenantId, query: EvidenceQuery): Promise<EvidencePage> {
  const { keyId, eventType, actorId, result, from, to, beforeSequence } = query;
  const filters: readonly (SQL | undefined)[] = [
    eq(evidenceEvents.tenantId, tenantId),
    beforeSequence === null ? undefined : lt(evidenceEvents.sequence, beforeSequence),
    keyId === undefined ? undefined : eq(evidenceEvents.keyId, keyId),
    eventType === undefined ? undefined : eq(evidenceEvents.eventType, eventType),
    actorId === undefined ? undefined : eq(evidenceEvents.actorId, actorId),
    result === undefined ? undefined : eq(evidenceEvents.result, result),
    from === undefined ? undefined : gte(evidenceEvents.occurredAt, from),
    to === undefined ? undefined : lt(evidenceEvents.occurredAt, to),
  ];
  const rows = await db
    .select(chainedEventColumns)
    .from(evidenceEvents)
    .where(and(...filters))
    .orderBy(desc(evidenceEvents.sequence))
    .limit(query.limit + 1);
  return { items: rows.slice(0, query.limit).map(toChainedEvent), more: rows.length > query.limit };
}

export async function batchOf(db: Db, tenantId: TenantId, eventId: string): Promise<EvidenceBatch | undefined> {
  const of = db
    .select({ checkpointId: evidenceEvents.checkpointId })
    .from(evidenceEvents)
    .where(and(eq(evidenceEvents.tenantId, tenantId), eq(evidenceEvents.eventId, eventId)));
  const rows = await db.select().from(evidenceCheckpoints).where(inArray(evidenceCheckpoints.checkpointId, of));
  const [batch] = await withEvents(db, tenantId, rows);
  return batch;
}

export async function listCheckpoints(
  db: Db,
  tenantId: TenantId,
  limit: number,
  beforeSequence: number | null,
): Promise<readonly Checkpoint[]> {
  const before = beforeSequence === null ? undefined : lt(evidenceCheckpoints.firstSequence, beforeSequence);
  const rows = await db
    .select()
    .from(evidenceCheckpoints)
    .where(and(eq(evidenceCheckpoints.tenantId, tenantId), before))
    .orderBy(desc(evidenceCheckpoints.firstSequence))
    .limit(limit);
  return rows.map(toCheckpoint);
}

export async function batchesAfter(
  db: Db,
  tenantId: TenantId,
  sequence: number,
  limit: number,
): Promise<readonly EvidenceBatch[]> {
  const rows = await db
    .select()
    .from(evidenceCheckpoints)
    .where(and(eq(evidenceCheckpoints.tenantId, tenantId), gt(evidenceCheckpoints.firstSequence, sequence)))
    .orderBy(asc(evidenceCheckpoints.firstSequence))
    .limit(limit);
  return withEvents(db, tenantId, rows);
}

type CheckpointRow = typeof evidenceCheckpoints.$inferSelect;

/** The batches of consecutive checkpoints, oldest first. */
async function withEvents(db: Db, tenantId: TenantId, rows: readonly CheckpointRow[]): Promise<EvidenceBatch[]> {
  const [first, last] = [rows[0], rows.at(-1)];
  if (first === undefined || last === undefined) return [];
  const events = await db
    .select(chainedEventColumns)
    .from(evidenceEvents)
    .where(
      sql`${evidenceEvents.tenantId} = ${tenantId}
        and ${evidenceEvents.sequence} between ${first.firstSequence} and ${last.lastSequence}`,
    )
    .orderBy(asc(evidenceEvents.sequence));
  return rows.map((row) => ({
    events: events
      .filter(({ sequence }) => sequence >= row.firstSequence && sequence <= row.lastSequence)
      .map(toChainedEvent),
    checkpoint: toCheckpoint(row),
  }));
}
