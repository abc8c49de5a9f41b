import { SERVICE_ITSELF } from '../evidence/operation-evidence.ts';
import { newId, SYSTEM_TENANT } from '../model/identifiers.ts';
import type { EvidenceStore } from '../ports/evidence-store.ts';
import { FIPS_ENTERED } from './catalog.ts';

/** The cryptographic module that a start works with, as it says itself, and what its operator says of it. */
export interface FipsModule {
  readonly name: string;
  readonly version: string;
  readonly buildInfo: string;
  /** The number of the certificate that the operator says it has. */
  readonly certificate?: string | undefined;
  /** Whether keys of algorithms that are not approved may still read what they protected. */
  readonly legacyRead: boolean;
}

/** Leaves an event in the service's own chain at a start in FIPS mode: from then on the operations of this node are that module's. */
export async function noteFipsMode(store: EvidenceStore, module: FipsModule, clock: () => number): Promise<void> {
  const { name, version, buildInfo, certificate = null, legacyRead } = module;
  await store.append([
    {
      action: 'start',
      actor: SERVICE_ITSELF,
      changes: { before: null, after: { buildInfo, certificate, legacyRead, name, version } },
      context: { ip: null, requestId: null, source: 'service', userAgent: null },
      eventId: newId(),
      eventType: FIPS_ENTERED,
      request: { contextKeys: [] },
      resource: { id: null, type: 'service', version: null },
      result: 'success',
      tenantId: SYSTEM_TENANT,
      timestamp: new Date(clock()).toISOString(),
    },
  ]);
}
