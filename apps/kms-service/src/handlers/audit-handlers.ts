import { exportLines, proveInclusion, toCef } from '@qnsp/kms-audit';
import {
  badRequest,
  type Caller,
  type EvidenceBatch,
  type EvidenceStore,
  KmsError,
  requirePermission,
} from '@qnsp/kms-core';
import type { AppParts } from '../app.ts';
import type { Handlers } from './handler.ts';

const PAGE = 50;
const EXPORTED_BATCHES = 10;

export const auditHandlers = {
  listAuditEvents: async ({ parts, caller, request }) => {
    const { limit = PAGE, cursor, keyId, eventType, actor, result, from, to } = request.query;
    const { items, more } = await evidenceOf(parts, caller).events(caller.tenantId, {
      limit,
      beforeSequence: decodeCursor(cursor),
      ...(keyId === undefined ? {} : { keyId }),
      ...(eventType === undefined ? {} : { eventType }),
      ...(actor === undefined ? {} : { actorId: actor }),
      ...(result === undefined ? {} : { result }),
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
    });
    return { items, nextCursor: more ? encodeCursor(items.at(-1)?.sequence) : null };
  },

  getAuditProof: async ({ parts, caller, request }) => {
    const { eventId } = request.params;
    const batch = await evidenceOf(parts, caller).batchOf(caller.tenantId, eventId);
    const proof = batch && proveInclusion(batch.events, batch.checkpoint, eventId);
    if (proof === undefined) throw new KmsError('NOT_FOUND', 'There is no sealed event with this id.');
    return proof;
  },

  listAuditCheckpoints: async ({ parts, caller, request }) => {
    const { limit = PAGE, cursor } = request.query;
    const found = await evidenceOf(parts, caller).checkpoints(caller.tenantId, limit + 1, decodeCursor(cursor));
    const items = found.slice(0, limit);
    return { items, nextCursor: found.length > limit ? encodeCursor(items.at(-1)?.firstSequence) : null };
  },

  exportAudit: async ({ parts, caller, request }) => {
    const { format = 'jsonl', after = 0, batches = EXPORTED_BATCHES } = request.query;
    const found = await evidenceOf(parts, caller).batchesAfter(caller.tenantId, after, batches);
    return found.map((batch) => (format === 'cef' ? cefLines(batch, parts.version) : jsonLines(batch))).join('');
  },
} satisfies Partial<Handlers>;

function jsonLines({ events, checkpoint }: EvidenceBatch): string {
  return exportLines(events, checkpoint);
}

function cefLines({ events }: EvidenceBatch, version: string): string {
  return events.map((event) => `${toCef(event, version)}\n`).join('');
}

/** Throws `FORBIDDEN` for who may not read evidence, and `NOT_FOUND` where none is kept. */
function evidenceOf({ evidence }: AppParts, caller: Caller): EvidenceStore {
  requirePermission(caller, 'kms:audit:read');
  if (evidence === undefined) throw new KmsError('NOT_FOUND', 'This deployment keeps no evidence.');
  return evidence.store;
}

function encodeCursor(sequence: number | undefined): string {
  return Buffer.from(String(sequence), 'ascii').toString('base64url');
}

function decodeCursor(cursor: string | undefined): number | null {
  if (cursor === undefined) return null;
  const text = Buffer.from(cursor, 'base64url').toString('ascii');
  if (!/^\d{1,15}$/.test(text)) throw badRequest('cursor', 'not a cursor that a list answered');
  return Number(text);
}
