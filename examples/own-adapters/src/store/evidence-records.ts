import type { AuditEvent } from '@qnsp/kms-core';
import type { EvidenceRecords } from '@qnsp/kms-core/ports';
import type { Database } from './database.ts';
import type { Unit } from './unit.ts';

export class SqliteEvidenceRecords implements EvidenceRecords {
  readonly #unit: Unit;

  constructor(unit: Unit) {
    this.#unit = unit;
  }

  async append(events: readonly AuditEvent[]): Promise<void> {
    for (const { tenantId } of events) this.#unit.requireSeen(tenantId);
    appendEvents(this.#unit.database, events);
  }
}

/** Every value of an event is JSON. */
export function appendEvents(database: Database, events: readonly AuditEvent[]): void {
  for (const event of events) {
    database.run(
      'insert into outbox (tenant_id, event_type, event) values (?, ?, ?)',
      event.tenantId,
      event.eventType,
      JSON.stringify(event),
    );
  }
}
