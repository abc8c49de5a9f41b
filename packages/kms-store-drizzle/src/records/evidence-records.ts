import type { AuditEvent } from '@qnsp/kms-core';
import type { EvidenceRecords } from '@qnsp/kms-core/ports';
import { sql } from 'drizzle-orm';
import { builtOnce } from '../driver/built-once.ts';
import { kms } from '../schema/columns.ts';
import { requireSeen } from '../driver/scope.ts';
import type { Session } from '../driver/session.ts';

export class DrizzleEvidenceRecords implements EvidenceRecords {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  async append(events: readonly AuditEvent[]): Promise<void> {
    for (const { tenantId } of events) requireSeen(this.#session.scope, tenantId);
    await this.#session.run((db) => addEvents(db).execute(eventLists(events)));
  }
}

const addEvents = builtOnce((db) =>
  db
    .select({ added: sql`${kms}.add_events(${EVENT_LISTS})` })
    .from(sql`(values (1)) as once`)
    .prepare('add_events'),
);

/** The arguments of the functions that add events to the outbox, for {@link eventLists}. */
export const EVENT_LISTS = sql`${sql.placeholder('tenants')}, ${sql.placeholder('ids')}, ${sql.placeholder('events')}`;

/** Events as three parameters: a batch of any size is one statement. */
export function eventLists(events: readonly AuditEvent[]) {
  const list = (of: (event: AuditEvent) => string) => events.map(of).join(',');
  return {
    tenants: `{${list(({ tenantId }) => tenantId)}}`,
    ids: `{${list(({ eventId }) => eventId)}}`,
    events: `[${list((event) => JSON.stringify(event))}]`,
  };
}
