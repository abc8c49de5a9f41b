import { exportLines, proveInclusion, toCef } from '@qnsp/kms-audit';
import {
  type Caller,
  type EvidenceBatch,
  type EvidenceStore,
  KmsError,
  listCursors,
  OPERATIONS,
  requirePermission,
} from '@qnsp/kms-core';
import type { ServiceFacts } from './service-facts.ts';
import type { Handlers } from './handler.ts';

const PAGE = 50;
const EXPORTED_BATCHES = 10;

export const auditHandlers = {
  listAuditEvents: async ({ facts, kms, caller, request }) => {
    const { limit = PAGE, cursor, keyId, eventType, actor, result, from, to } = request.query;
    const store = evidenceOf(facts, caller);
    const filters = { keyId, eventType, actor, result, from, to };
    const cursors = await listCursors<number>(kms.hierarchy, caller.tenantId, 'audit-events', filters);
    const { items, more } = await store.events(caller.tenantId, {
      limit,
      beforeSequence: cursor === undefined ? null : cursors.open(cursor),
      ...(keyId === undefined ? {} : { keyId }),
      ...(eventType === undefined ? {} : { eventType }),
      ...(actor === undefined ? {} : { actorId: actor }),
      ...(result === undefined ? {} : { result }),
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
    });
    const last = items.at(-1);
    return { items, nextCursor: more && last !== undefined ? cursors.seal(last.sequence) : null };
  },

  getAuditProof: async ({ facts, caller, request }) => {
    const { eventId } = request.params;
    const batch = await evidenceOf(facts, caller).batchOf(caller.tenantId, eventId);
    const proof = batch && proveInclusion(batch.events, batch.checkpoint, eventId);
    if (proof === undefined) throw new KmsError('NOT_FOUND', 'There is no sealed event with this id.');
    return proof;
  },

  listAuditCheckpoints: async ({ facts, kms, caller, request }) => {
    const { limit = PAGE, cursor } = request.query;
    const store = evidenceOf(facts, caller);
    const cursors = await listCursors<number>(kms.hierarchy, caller.tenantId, 'audit-checkpoints', {});
    const before = cursor === undefined ? null : cursors.open(cursor);
    const found = await store.checkpoints(caller.tenantId, limit + 1, before);
    const items = found.slice(0, limit);
    const last = found.length > limit ? items.at(-1) : undefined;
    return { items, nextCursor: last === undefined ? null : cursors.seal(last.firstSequence) };
  },

  exportAudit: async ({ facts, caller, request }) => {
    const { format = 'jsonl', after = 0, batches = EXPORTED_BATCHES } = request.query;
    const found = await evidenceOf(facts, caller).batchesAfter(caller.tenantId, after, batches);
    return found.map((batch) => (format === 'cef' ? cefLines(batch, facts.version) : jsonLines(batch))).join('');
  },
} satisfies Partial<Handlers>;

function jsonLines({ events, checkpoint }: EvidenceBatch): string {
  return exportLines(events, checkpoint);
}

function cefLines({ events }: EvidenceBatch, version: string): string {
  return events.map((event) => `${toCef(event, version)}\n`).join('');
}

/** Throws `FORBIDDEN` for callers who may not read evidence, and `NOT_FOUND` if none is kept. */
function evidenceOf({ evidence }: ServiceFacts, caller: Caller): EvidenceStore {
  requirePermission(caller, OPERATIONS.listAuditEvents.permission);
  if (evidence === undefined)
    throw new KmsError('NOT_FOUND', 'This deployment keeps no evidence: KMS_AUDIT_URL is not set.');
  return evidence;
}
