import { SERVICE_ITSELF } from '../evidence/operation-evidence.ts';
import type { AuditEvent } from '../model/audit-event.ts';
import { newId, SYSTEM_TENANT, type TenantId } from '../model/identifiers.ts';
import type { EvidenceStore } from '../ports/evidence-store.ts';
import { AUDIT_SWITCH } from './catalog.ts';

const { on: ON, off: OFF } = AUDIT_SWITCH;
const AT_ONCE = 256;

/**
 * Leaves an event in each chain when evidence is kept from now on, or no longer is: nothing that was done in between is
 * in evidence, and the reader sees that. Nothing is left where nothing changed, nor where evidence was never kept.
 */
export async function noteSwitch(store: EvidenceStore, isOn: boolean, clock: () => number): Promise<void> {
  const now = isOn ? ON : OFF;
  if ((await store.newestType(SYSTEM_TENANT, [ON, OFF])) === now) return;
  const known = await store.tenants();
  if (!isOn && known.length === 0) return;
  const at = new Date(clock()).toISOString();
  // The service's own chain says whether it was done, so it comes last.
  const others = known.filter((tenantId) => tenantId !== SYSTEM_TENANT);
  const events = [...others, SYSTEM_TENANT].map((tenantId) => switched(tenantId, now, at));
  for (let from = 0; from < events.length; from += AT_ONCE) await store.append(events.slice(from, from + AT_ONCE));
}

function switched(tenantId: TenantId, eventType: typeof ON | typeof OFF, timestamp: string): AuditEvent {
  return {
    action: 'start',
    actor: SERVICE_ITSELF,
    context: { ip: null, requestId: null, source: 'service', userAgent: null },
    eventId: newId(),
    eventType,
    request: { contextKeys: [] },
    resource: { id: null, type: 'service', version: null },
    result: 'success',
    tenantId,
    timestamp,
  };
}
