import { OPERATIONS } from '@qnsp/kms-core';
import { ACTOR_TYPES } from '@qnsp/kms-core/internal';
import { AUDIT_EVENT_TYPES, AUDIT_RESULTS, REFUSAL_REASONS, RESOURCE_TYPES } from '@qnsp/kms-core/ports';
import { z } from 'zod';
import { EXAMPLE } from '../answers/examples.ts';
import { listWarnings } from '../answers/key.ts';
import { answeredInstant, instant } from '../fields/instant.ts';
import { pageLimit, queryInteger } from '../fields/query.ts';
import { line, urlSafe } from '../fields/text.ts';
import { uuid } from '../fields/uuid.ts';
import { component, onTheWire } from '../fields/wire-schema.ts';
import { LIMITS } from '../bounds/limits.ts';
import { BASE_PATH, defineRoute, group, tenantId } from '../route/route.ts';

const answeredUuid = onTheWire(z.string(), { type: 'string', format: 'uuid' });
const hash = onTheWire(z.string(), { type: 'string', pattern: '^[0-9a-f]{64}$' });
const facts = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(z.string())]));

const auditEventSchema = component(
  'AuditEvent',
  z.object({
    eventId: answeredUuid,
    eventType: z.enum(AUDIT_EVENT_TYPES),
    timestamp: answeredInstant,
    tenantId: answeredUuid,
    actor: z.object({ type: z.enum(ACTOR_TYPES), id: z.string() }),
    resource: z.object({ type: z.enum(RESOURCE_TYPES), id: z.string().nullable(), version: z.int().nullable() }),
    action: z
      .string()
      .describe(
        'The id of the operation that was requested, or that the service carried out automatically. The operations of this document have the same ids.',
      ),
    result: z.enum(AUDIT_RESULTS),
    errorCode: z.string().exactOptional().describe('Why it did not succeed.'),
    context: z.object({
      requestId: z.string().nullable(),
      userAgent: z.string().nullable(),
      source: z.string(),
      ip: z.string().nullable(),
    }),
    refusedFor: z
      .enum(REFUSAL_REASONS)
      .exactOptional()
      .describe('What is wrong with the credential, where it is known whose it is and nobody is let in by it.'),
    refusedBefore: z
      .int()
      .exactOptional()
      .describe(
        'How many refusals of known credentials of the tenant the node left out since the last one of which it left an event, whosever they were.',
      ),
    request: z.object({
      contextKeys: z.array(z.string()).describe('Names in the encryption context, without values.'),
    }),
    repeats: answeredUuid
      .exactOptional()
      .describe(
        'The id that the event had while it waited when the database was copied; the previous epoch may have it under that id.',
      ),
    changes: z.object({ before: facts.nullable(), after: facts.nullable() }).exactOptional(),
  }),
);

const chainedEventSchema = component(
  'ChainedEvent',
  z.object({
    sequence: z.int().describe('The place in the chain of the tenant, from 1 without gaps.'),
    previousHash: hash,
    hash: hash.describe('SHA3-256 of the canonical JSON of `{event, previousHash, sequence}`.'),
    event: auditEventSchema,
  }),
);

const checkpointSchema = component(
  'Checkpoint',
  z.object({
    checkpointId: answeredUuid,
    timestamp: answeredInstant,
    tenantId: answeredUuid,
    merkleRoot: hash,
    eventCount: z.int(),
    firstSequence: z.int(),
    lastSequence: z.int(),
    firstEventId: answeredUuid,
    lastEventId: answeredUuid,
    previousCheckpoint: hash.nullable(),
    version: z
      .literal(2)
      .exactOptional()
      .describe('Absent in the first format, which lacks this field and the next two.'),
    epoch: z
      .object({ since: answeredInstant, dataAsOf: answeredInstant })
      .nullable()
      .exactOptional()
      .describe(
        'The epoch of the database: since when a restored copy has been serving, and from what time its data was.',
      ),
    signingKeys: z
      .array(z.object({ keyId: z.string(), firstSequence: z.int() }))
      .exactOptional()
      .describe('The keys that signed the chain, the current one last, and the event from which each signed.'),
    signature: z.string().describe('A JWS with a detached payload: the canonical JSON of the other members.'),
  }),
);

const limit = pageLimit.exactOptional();
const cursor = urlSafe(LIMITS.cursorCharacters).exactOptional().describe('`nextCursor` of the previous page.');
const nextCursor = z.string().nullable().describe('`null` on the last page.');

const shared = {
  method: 'GET',
  tag: 'Audit',
  auth: 'bearer',
  scope: 'either',
  status: 200,
  errors: ['NOT_FOUND'],
  mutating: false,
} as const;

const EXAMPLE_EVENT = {
  sequence: 1,
  previousHash: '0'.repeat(64),
  hash: '6f5a93b0f2b6a50a2d56bd1a6f0c3a7f0d1f6d3c4c8f3bb4a1a3b5c7d9e1f203',
  event: {
    eventId: '0198f2a8-3f40-7152-9d6e-7f8091a2b3c4',
    eventType: OPERATIONS.encrypt.event,
    timestamp: EXAMPLE.instant,
    tenantId: EXAMPLE.tenantId,
    actor: { type: 'service', id: EXAMPLE.tokenId },
    resource: { type: 'key', id: EXAMPLE.keyId, version: 1 },
    action: 'encrypt',
    result: 'success',
    context: { requestId: 'r-1', userAgent: 'orders/1.0', source: 'api', ip: '192.0.2.1' },
    request: { contextKeys: ['order'] },
  },
} as const;

const EXAMPLE_CHECKPOINT = {
  checkpointId: '0198f2a9-4051-7263-8e7f-8091a2b3c4d5',
  timestamp: EXAMPLE.instant,
  tenantId: EXAMPLE.tenantId,
  merkleRoot: 'f203a1a3b5c7d9e14c8f3bb40d1f6d3c6f0c3a7f2d56bd1af2b6a50a6f5a93b0',
  eventCount: 1,
  firstSequence: 1,
  lastSequence: 1,
  firstEventId: EXAMPLE_EVENT.event.eventId,
  lastEventId: EXAMPLE_EVENT.event.eventId,
  previousCheckpoint: null,
  signature: 'eyJhbGciOiJFZDI1NTE5In0..AAAA',
} as const;

export const auditRoutes = group({
  listAuditEvents: defineRoute({
    ...shared,
    operationId: 'listAuditEvents',
    path: `${BASE_PATH}/audit/events`,
    summary: 'List the evidence of the tenant',
    description:
      'Newest first. An event appears when it is sealed, a moment after its operation was answered. `NOT_FOUND` if the deployment keeps no evidence.',
    query: z.strictObject({
      tenantId,
      limit,
      cursor,
      keyId: uuid.exactOptional(),
      eventType: z.enum(AUDIT_EVENT_TYPES).exactOptional(),
      actor: line(LIMITS.subjectCharacters).exactOptional().describe('The id of the actor.'),
      result: z.enum(AUDIT_RESULTS).exactOptional(),
      from: instant.exactOptional().describe('Only events at or after this time.'),
      to: instant.exactOptional().describe('Only events before this time.'),
    }),
    list: true,
    response: component(
      'AuditEventList',
      z.object({ items: z.array(chainedEventSchema), nextCursor, warnings: listWarnings }),
    ),
    example: { query: { keyId: EXAMPLE.keyId }, answer: { items: [EXAMPLE_EVENT], nextCursor: null } },
  }),
  getAuditProof: defineRoute({
    ...shared,
    operationId: 'getAuditProof',
    path: `${BASE_PATH}/audit/events/{eventId}/proof`,
    summary: 'Prove that an event is in the signed evidence',
    description: 'An audit path of RFC 6962 with SHA3-256, from the hash of the event to the root of its checkpoint.',
    response: component(
      'InclusionProof',
      z.object({
        event: chainedEventSchema,
        leafIndex: z.int(),
        path: z.array(hash),
        checkpoint: checkpointSchema,
      }),
    ),
    example: { answer: { event: EXAMPLE_EVENT, leafIndex: 0, path: [], checkpoint: EXAMPLE_CHECKPOINT } },
  }),
  listAuditCheckpoints: defineRoute({
    ...shared,
    operationId: 'listAuditCheckpoints',
    path: `${BASE_PATH}/audit/checkpoints`,
    summary: 'List the signed checkpoints of the evidence',
    description: 'Newest first. Keep one apart from the evidence: it shows later that no end was cut off.',
    query: z.strictObject({ tenantId, limit, cursor }),
    list: true,
    response: component(
      'CheckpointList',
      z.object({ items: z.array(checkpointSchema), nextCursor, warnings: listWarnings }),
    ),
    example: { answer: { items: [EXAMPLE_CHECKPOINT], nextCursor: null } },
  }),
  exportAudit: defineRoute({
    ...shared,
    operationId: 'exportAudit',
    path: `${BASE_PATH}/audit/export`,
    summary: 'Export evidence',
    description:
      'Whole batches after a place in the chain, oldest first. `jsonl` can be verified offline: a line for each event, and after the events of a batch a line with its checkpoint. `cef` is the Common Event Format, for a SIEM. The next page starts after the last sequence of this one; an empty page is the end.',
    query: z.strictObject({
      tenantId,
      format: z.enum(['jsonl', 'cef']).exactOptional(),
      after: queryInteger(0, Number.MAX_SAFE_INTEGER, 0).exactOptional(),
      batches: queryInteger(1, LIMITS.exportBatches.maximum, LIMITS.exportBatches.default).exactOptional(),
    }),
    response: z.string(),
    contentType: 'text/plain',
    example: {
      query: { format: 'jsonl', after: '0' },
      answer: `${JSON.stringify({ event: EXAMPLE_EVENT })}\n${JSON.stringify({ checkpoint: EXAMPLE_CHECKPOINT })}\n`,
    },
  }),
});
