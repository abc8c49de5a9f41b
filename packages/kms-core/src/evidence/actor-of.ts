import type { CredentialKind, Identity } from '../access/identity.ts';
import type { AuditActor } from '../model/audit-event.ts';

/** Issuers give these to workloads; API tokens are held by services. */
const OF_WORKLOADS: readonly CredentialKind[] = ['jwt', 'certificate'];

/** Who acts, in an event, by what the identity was proved by. */
export function actorOf({ subject, credential }: Pick<Identity, 'subject' | 'credential'>): AuditActor {
  return { type: OF_WORKLOADS.includes(credential) ? 'workload' : 'service', id: subject };
}
