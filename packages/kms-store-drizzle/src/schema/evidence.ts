import { sql } from 'drizzle-orm';
import { bigint, check, index, integer, primaryKey, text, unique, uuid } from 'drizzle-orm/pg-core';
import { instant, kms } from './columns.ts';

// No table of evidence refers to a tenant: evidence outlives it, and a call may name one that does not exist.

/** Events that are durable and have no place in a chain yet. */
export const evidenceOutbox = kms.table(
  'evidence_outbox',
  {
    id: bigint('id', { mode: 'number' }).notNull().generatedAlwaysAsIdentity(),
    tenantId: uuid('tenant_id').notNull(),
    eventId: uuid('event_id').notNull(),
    /** The event as JSON. */
    event: text('event').notNull(),
  },
  (table) => [primaryKey({ name: 'evidence_outbox_pkey', columns: [table.tenantId, table.id] })],
);

/** Where the chain of each tenant ends, and how far it was delivered. */
export const evidenceChains = kms.table(
  'evidence_chains',
  {
    tenantId: uuid('tenant_id').primaryKey(),
    sequence: bigint('sequence', { mode: 'number' }).notNull().default(0),
    hash: text('hash').notNull(),
    checkpoint: text('checkpoint'),
    /** Up to this one, events were delivered or permanently refused. */
    delivered: bigint('delivered', { mode: 'number' }).notNull().default(0),
    /** How often the batch that is next was tried. */
    attempts: integer('attempts').notNull().default(0),
    /** Not before this time; where the last batch went well, when it did. */
    nextAttemptAt: instant('next_attempt_at'),
    leaseOwner: text('lease_owner'),
    leaseUntil: instant('lease_until'),
  },
  (table) => [
    check('evidence_chains_delivered', sql`${table.delivered} between 0 and ${table.sequence}`),
    // Most chains are fully delivered most of the time: what is waiting is found without looking at the others.
    index('evidence_chains_undelivered')
      .on(table.nextAttemptAt.asc().nullsFirst(), table.tenantId)
      .where(sql`${table.delivered} < ${table.sequence}`),
  ],
);

/** The signed statement about each batch; kept forever. */
export const evidenceCheckpoints = kms.table(
  'evidence_checkpoints',
  {
    checkpointId: uuid('checkpoint_id').primaryKey(),
    tenantId: uuid('tenant_id').notNull(),
    firstSequence: bigint('first_sequence', { mode: 'number' }).notNull(),
    lastSequence: bigint('last_sequence', { mode: 'number' }).notNull(),
    sealedAt: instant('sealed_at').notNull(),
    /** The checkpoint as JSON. */
    checkpoint: text('checkpoint').notNull(),
    /** Why the audit service permanently refused the batch. */
    refusal: text('refusal'),
    /** When retention removed its events. */
    retiredAt: instant('retired_at'),
  },
  (table) => [
    unique('evidence_checkpoints_place').on(table.tenantId, table.firstSequence),
    index('evidence_checkpoints_retention').on(table.sealedAt).where(sql`${table.retiredAt} is null`),
    index('evidence_checkpoints_refused').on(table.tenantId).where(sql`${table.refusal} is not null`),
  ],
);

/** Sealed events, each at its place in the chain of its tenant. */
export const evidenceEvents = kms.table(
  'evidence_events',
  {
    tenantId: uuid('tenant_id').notNull(),
    sequence: bigint('sequence', { mode: 'number' }).notNull(),
    eventId: uuid('event_id').notNull(),
    checkpointId: uuid('checkpoint_id')
      .notNull()
      .references(() => evidenceCheckpoints.checkpointId),
    occurredAt: instant('occurred_at').notNull(),
    eventType: text('event_type').notNull(),
    actorId: text('actor_id').notNull(),
    /** The key that the event is about. */
    keyId: text('key_id'),
    result: text('result').notNull(),
    previousHash: text('previous_hash').notNull(),
    hash: text('hash').notNull(),
    /** The event as JSON; the columns above repeat parts of it to search by. */
    event: text('event').notNull(),
  },
  (table) => [
    primaryKey({ name: 'evidence_events_pkey', columns: [table.tenantId, table.sequence] }),
    unique('evidence_events_id').on(table.tenantId, table.eventId),
    index('evidence_events_key').on(table.tenantId, table.keyId, table.sequence).where(sql`${table.keyId} is not null`),
    index('evidence_events_type').on(table.tenantId, table.eventType, table.sequence),
    index('evidence_events_actor').on(table.tenantId, table.actorId, table.sequence),
  ],
);
