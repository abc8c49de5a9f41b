import type { AuditEvent } from '../model/audit-event.ts';
import type { EvidenceRecords } from '../ports/store.ts';
import { copyOf, type MemoryUnit, requireSeen } from './store-memory-tables.ts';

export class MemoryEvidence implements EvidenceRecords {
  readonly #unit: MemoryUnit;

  constructor(unit: MemoryUnit) {
    this.#unit = unit;
  }

  async append(events: readonly AuditEvent[]): Promise<void> {
    for (const event of events) requireSeen(this.#unit.scope, event.tenantId);
    this.#unit.tables().evidence.push(...copyOf(events));
  }
}
