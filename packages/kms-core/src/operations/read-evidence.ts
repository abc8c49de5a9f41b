import { requirePermission } from '../access/caller.ts';
import { BOUNDS } from '../bounds/bounds.ts';
import { checkId, checkInstant, checkInteger, checkLine, checkOneOf } from '../bounds/check-values.ts';
import { KmsError } from '../errors/kms-error.ts';
import { AUDIT_EVENT_TYPES, AUDIT_RESULTS, type AuditEventType, type AuditResult } from '../model/audit-event.ts';
import type { ChainedEvent, Checkpoint, EvidenceBatch } from '../model/chain.ts';
import type { KeyId } from '../model/identifiers.ts';
import type { EvidenceReader } from '../ports/evidence-store.ts';
import { OPERATIONS } from './catalog.ts';
import { listCursors } from './list-cursor.ts';
import type { Operation } from './operation.ts';

/** Which events are listed: those that meet all of it. */
export interface ListAuditEventsInput {
  /** From 1 to 200; default: 50. */
  readonly limit?: number;
  readonly cursor?: string;
  readonly keyId?: KeyId;
  readonly eventType?: AuditEventType;
  /** The id of who acted. */
  readonly actor?: string;
  readonly result?: AuditResult;
  /** Only events at this time or later. */
  readonly from?: Date;
  /** Only events before this time. */
  readonly to?: Date;
}

/** A page of events. */
export interface ListAuditEventsResult {
  readonly items: readonly ChainedEvent[];
  /** Where the next page starts; `null` on the last page. */
  readonly nextCursor: string | null;
}

/** A page of the tenant's sealed evidence, newest first. Throws `NOT_FOUND` where none is kept, as all that read it do. */
export async function listAuditEvents(op: Operation, input: ListAuditEventsInput): Promise<ListAuditEventsResult> {
  const store = keptEvidence(op, OPERATIONS.listAuditEvents);
  const { limit = BOUNDS.pageItems.default, cursor } = input;
  checkInteger('limit', limit, 1, BOUNDS.pageItems.maximum);
  const filters = checkedFilters(input);
  const { tenantId } = op.caller;
  const { actor, ...others } = filters;
  const cursors = await listCursors<number>(op.kms.hierarchy, tenantId, 'audit-events', { ...filters });
  const { items, more } = await store.events(tenantId, {
    ...others,
    ...(actor === undefined ? {} : { actorId: actor }),
    limit,
    beforeSequence: cursor === undefined ? null : cursors.open(cursor),
  });
  const last = items.at(-1);
  return { items, nextCursor: more && last !== undefined ? cursors.seal(last.sequence) : null };
}

type Filters = Omit<ListAuditEventsInput, 'limit' | 'cursor'>;

/** The filters that are set. A cursor is bound to them, so there is nothing else in it. */
function checkedFilters({ keyId, eventType, actor, result, from, to }: ListAuditEventsInput): Filters {
  if (keyId !== undefined) checkId('keyId', keyId);
  if (eventType !== undefined) checkOneOf('eventType', eventType, AUDIT_EVENT_TYPES);
  if (actor !== undefined) checkLine('actor', actor, BOUNDS.subjectCharacters);
  if (result !== undefined) checkOneOf('result', result, AUDIT_RESULTS);
  if (from !== undefined) checkInstant('from', from);
  if (to !== undefined) checkInstant('to', to);
  return {
    ...(keyId === undefined ? {} : { keyId }),
    ...(eventType === undefined ? {} : { eventType }),
    ...(actor === undefined ? {} : { actor }),
    ...(result === undefined ? {} : { result }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  };
}

/**
 * The sealed batch that holds an event, or held it until its retention was over, which is what its proof is made of. Throws `NOT_FOUND`
 * when there is none.
 */
export async function getAuditBatch(op: Operation, input: { readonly eventId: string }): Promise<EvidenceBatch> {
  const store = keptEvidence(op, OPERATIONS.getAuditProof);
  checkId('eventId', input.eventId);
  const batch = await store.batchOf(op.caller.tenantId, input.eventId);
  if (batch === undefined) throw new KmsError('NOT_FOUND', 'There is no sealed event with this id.');
  return batch;
}

/** A page of checkpoints. */
export interface ListAuditCheckpointsResult {
  readonly items: readonly Checkpoint[];
  /** Where the next page starts; `null` on the last page. */
  readonly nextCursor: string | null;
}

/** A page of the signed checkpoints of the tenant's evidence, newest first. */
export async function listAuditCheckpoints(
  op: Operation,
  input: { readonly limit?: number; readonly cursor?: string },
): Promise<ListAuditCheckpointsResult> {
  const store = keptEvidence(op, OPERATIONS.listAuditCheckpoints);
  const { limit = BOUNDS.pageItems.default, cursor } = input;
  checkInteger('limit', limit, 1, BOUNDS.pageItems.maximum);
  const { tenantId } = op.caller;
  const cursors = await listCursors<number>(op.kms.hierarchy, tenantId, 'audit-checkpoints', {});
  const before = cursor === undefined ? null : cursors.open(cursor);
  const found = await store.checkpoints(tenantId, limit + 1, before);
  const items = found.slice(0, limit);
  const last = found.length > limit ? items.at(-1) : undefined;
  return { items, nextCursor: last === undefined ? null : cursors.seal(last.firstSequence) };
}

/** Which part of a chain is exported. */
export interface ExportAuditInput {
  /** The place in the chain after which it begins; at its beginning without it. */
  readonly after?: number;
  /** How many batches at most. */
  readonly batches?: number;
}

/** Whole batches of the tenant's evidence, oldest first. */
export async function exportAudit(op: Operation, input: ExportAuditInput): Promise<readonly EvidenceBatch[]> {
  const store = keptEvidence(op, OPERATIONS.exportAudit);
  const { after = 0, batches = BOUNDS.exportedBatches.default } = input;
  checkInteger('after', after, 0, Number.MAX_SAFE_INTEGER);
  checkInteger('batches', batches, 1, BOUNDS.exportedBatches.maximum);
  return store.batchesAfter(op.caller.tenantId, after, batches);
}

/** Throws `FORBIDDEN` for callers who may not read evidence, and `NOT_FOUND` if none is kept. */
function keptEvidence(
  { kms, caller }: Operation,
  { permission }: { readonly permission: typeof OPERATIONS.listAuditEvents.permission },
): EvidenceReader {
  requirePermission(caller, permission);
  checkId('tenantId', caller.tenantId);
  if (kms.evidence === undefined)
    throw new KmsError('NOT_FOUND', 'This deployment keeps no evidence: KMS_AUDIT_URL is not set.');
  return kms.evidence.store;
}
