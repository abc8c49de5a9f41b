import { exportLines, proveInclusion, toCef } from '@qnsp/kms-audit';
import { type EvidenceBatch, KmsError } from '@qnsp/kms-core';
import { exportAudit, getAuditBatch, listAuditCheckpoints, listAuditEvents } from '@qnsp/kms-core/internal';
import type { Handlers } from './handler.ts';

export const auditHandlers = {
  listAuditEvents: ({ op, request }) => listAuditEvents(op, request.query),

  getAuditProof: async ({ op, request }) => {
    const { events, checkpoint } = await getAuditBatch(op, request.params);
    const proof = proveInclusion(events, checkpoint, request.params.eventId);
    // Of a batch whose retention is over only the checkpoint is left.
    if (proof === undefined) throw new KmsError('NOT_FOUND', 'There is no sealed event with this id.');
    return proof;
  },

  listAuditCheckpoints: ({ op, request }) => listAuditCheckpoints(op, request.query),

  exportAudit: async ({ facts, op, request }) => {
    const { format = 'jsonl', ...which } = request.query;
    const found = await exportAudit(op, which);
    return found.map((batch) => (format === 'cef' ? cefLines(batch, facts.version) : jsonLines(batch))).join('');
  },
} satisfies Partial<Handlers>;

function jsonLines({ events, checkpoint }: EvidenceBatch): string {
  return exportLines(events, checkpoint);
}

function cefLines({ events }: EvidenceBatch, version: string): string {
  return events.map((event) => `${toCef(event, version)}\n`).join('');
}
