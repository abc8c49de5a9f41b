import { type Identity, OPERATIONS, SYSTEM_TENANT } from '@qnsp/kms-core';
import { OperationEvidence } from '@qnsp/kms-core/internal';
import type { EvidenceTrail } from '@qnsp/kms-core/ports';
import type { Call } from './call.ts';

const SANE_USER_AGENT = /^[\u0020-\u007e]{1,256}$/;

/**
 * Begins the evidence of a call whose credential is known and of which nothing else was looked at yet. Operations without an event
 * in the catalogue leave nothing.
 */
export function beginEvidence(
  trail: EvidenceTrail,
  { edge, wire, target, incoming, requestId }: Call,
  identity: Pick<Identity, 'subject' | 'tenantId'>,
): OperationEvidence | undefined {
  const { operation } = target.kind;
  const eventType = OPERATIONS[operation].event;
  if (eventType === null) return undefined;
  const userAgent = incoming.headers['user-agent'] ?? '';
  return new OperationEvidence(trail, edge.kms.clock, {
    tenantId: identity.tenantId ?? SYSTEM_TENANT,
    actor: { type: 'service', id: identity.subject },
    action: operation,
    eventType,
    context: {
      requestId,
      userAgent: SANE_USER_AGENT.test(userAgent) ? userAgent : null,
      source: wire.source,
      ip: incoming.socket.remoteAddress ?? null,
    },
  });
}
