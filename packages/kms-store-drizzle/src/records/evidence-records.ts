import type { AuditEvent, EvidenceRecords } from '@qnsp/kms-core';
import { sql } from 'drizzle-orm';
import { requireSeen } from '../scope.ts';
import type { Session } from '../session.ts';

export class DrizzleEvidenceRecords implements EvidenceRecords {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  async append(events: readonly AuditEvent[]): Promise<void> {
    for (const { tenantId } of events) requireSeen(this.#session.scope, tenantId);
    await this.#session.run((db) =>
      db.execute(sql`
        insert into kms.evidence_outbox (tenant_id, event_id, event)
        select e.tenant_id, e.event_id, e.event
        from json_to_recordset(${outboxRows(events)}::json) as e (tenant_id uuid, event_id uuid, event text)`),
    );
  }
}

/** Rows of the outbox as one JSON parameter: a batch of any size is one statement. */
export function outboxRows(events: readonly AuditEvent[]): string {
  return JSON.stringify(
    events.map((event) => ({ tenant_id: event.tenantId, event_id: event.eventId, event: JSON.stringify(event) })),
  );
}
