import type { AuditEvent } from '@qnsp/kms-core';
import { ACTOR_TYPES } from '@qnsp/kms-core/internal';
import {
  AUDIT_EVENT_TYPES,
  AUDIT_RESULTS,
  type ChainedEvent,
  type Checkpoint,
  REFUSAL_REASONS,
  RESOURCE_TYPES,
} from '@qnsp/kms-core/ports';
import { z } from 'zod';
import { canonicalJson } from './canonical-json.ts';

/** More keys than anyone will ever change to: each checkpoint names them all. */
const MOST_SIGNING_KEYS = 1000;
const hash = z.string().regex(/^[0-9a-f]{64}$/);
const count = z.int().min(1);
// A record passes over a member of this name.
const facts = z
  .custom((value) => typeof value === 'object' && value !== null && !Object.hasOwn(value, '__proto__'))
  .pipe(z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(z.string())])));

const eventSchema = z.strictObject({
  eventId: z.uuid(),
  eventType: z.enum(AUDIT_EVENT_TYPES),
  timestamp: z.iso.datetime({ precision: 3 }),
  tenantId: z.guid(),
  actor: z.strictObject({ type: z.enum(ACTOR_TYPES), id: z.string() }),
  resource: z.strictObject({
    type: z.enum(RESOURCE_TYPES),
    id: z.string().nullable(),
    version: count.nullable(),
  }),
  action: z.string(),
  result: z.enum(AUDIT_RESULTS),
  errorCode: z.string().exactOptional(),
  context: z.strictObject({
    requestId: z.string().nullable(),
    userAgent: z.string().nullable(),
    source: z.string(),
    ip: z.string().nullable(),
  }),
  refusedFor: z.enum(REFUSAL_REASONS).exactOptional(),
  refusedBefore: count.exactOptional(),
  request: z.strictObject({ contextKeys: z.array(z.string()) }),
  repeats: z.uuid().exactOptional(),
  changes: z.strictObject({ before: facts.nullable(), after: facts.nullable() }).exactOptional(),
});

const chainedEventSchema = z.strictObject({ sequence: count, previousHash: hash, hash, event: eventSchema });

const firstFormat = z.strictObject({
  checkpointId: z.uuid(),
  timestamp: z.iso.datetime({ precision: 3 }),
  tenantId: z.guid(),
  merkleRoot: hash,
  eventCount: count,
  firstSequence: count,
  lastSequence: count,
  firstEventId: z.uuid(),
  lastEventId: z.uuid(),
  previousCheckpoint: hash.nullable(),
  signature: z.string(),
});

const instant = z.iso.datetime({ precision: 3 });
const secondFormat = firstFormat.extend({
  version: z.literal(2),
  epoch: z.strictObject({ since: instant, dataAsOf: instant }).nullable(),
  signingKeys: z
    .array(z.strictObject({ keyId: z.string().regex(/^[\w-]{43}$/), firstSequence: count }))
    .min(1)
    .max(MOST_SIGNING_KEYS),
});
const checkpointSchema = z.union([secondFormat, firstFormat]);

/** One line of an export: an event, or the checkpoint that follows the events of its batch. */
export type ExportLine =
  | { readonly kind: 'event'; readonly entry: ChainedEvent }
  | { readonly kind: 'checkpoint'; readonly checkpoint: Checkpoint };

/** The lines of one batch: its events in order, then its checkpoint. Each is JSON and ends with a line feed. */
export function exportLines(events: readonly ChainedEvent[], checkpoint: Checkpoint): string {
  return [...events.map((entry) => canonicalJson({ event: entry })), canonicalJson({ checkpoint })]
    .map((line) => `${line}\n`)
    .join('');
}

/** Reads a line of an export without its line feed, `undefined` if it is not exactly one. */
export function parseExportLine(line: string): ExportLine | undefined {
  const value = parseJson(line);
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== 1) return undefined;
  if (!isCanonical(line, value)) return undefined;
  if ('event' in value) {
    const entry = readChainedEvent(value.event);
    return entry === undefined ? undefined : { kind: 'event', entry };
  }
  const checkpoint = 'checkpoint' in value ? readCheckpoint(value.checkpoint) : undefined;
  return checkpoint === undefined ? undefined : { kind: 'checkpoint', checkpoint };
}

/** An event as it stands in an export, `undefined` for anything else. */
export function readChainedEvent(value: unknown): ChainedEvent | undefined {
  // The list of error codes grows with versions of the service: any text is accepted as one. The value itself, whose
  // members are in the order in which they came.
  return chainedEventSchema.safeParse(value).success ? (value as ChainedEvent) : undefined;
}

/** An event without its place, `undefined` for anything else. */
export function readAuditEvent(value: unknown): AuditEvent | undefined {
  return eventSchema.safeParse(value).success ? (value as AuditEvent) : undefined;
}

/** A checkpoint, `undefined` for anything else. Its signature is not checked. */
export function readCheckpoint(value: unknown): Checkpoint | undefined {
  return checkpointSchema.safeParse(value).data;
}

/** Whether a text is the canonical form of the value: then no second member of a name hides in it. */
function isCanonical(text: string, value: unknown): boolean {
  try {
    return canonicalJson(value) === text;
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The caller says which line cannot be read; the parser's message would quote it.
    return undefined;
  }
}
