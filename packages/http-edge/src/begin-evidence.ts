import type { IncomingMessage } from 'node:http';
import {
  type EvidenceTrail,
  type Identity,
  OperationEvidence,
  type OperationName,
  OPERATIONS,
  SYSTEM_TENANT,
} from '@qnsp/kms-core';

const SANE_USER_AGENT = /^[\u0020-\u007e]{1,256}$/;

/**
 * Begins the evidence of a request whose credential is known and of which nothing else has been examined yet.
 * Operations without an event in the catalogue leave nothing.
 */
export function beginEvidence(
  trail: EvidenceTrail,
  clock: () => number,
  operation: OperationName,
  identity: Pick<Identity, 'subject' | 'tenantId'>,
  incoming: IncomingMessage,
  requestId: string,
): OperationEvidence | undefined {
  const eventType = OPERATIONS[operation].event;
  if (eventType === null) return undefined;
  const userAgent = incoming.headers['user-agent'] ?? '';
  return new OperationEvidence(trail, clock, {
    tenantId: identity.tenantId ?? SYSTEM_TENANT,
    actor: { type: 'service', id: identity.subject },
    action: operation,
    eventType,
    context: {
      requestId,
      userAgent: SANE_USER_AGENT.test(userAgent) ? userAgent : null,
      source: 'api',
      ip: incoming.socket.remoteAddress ?? null,
    },
  });
}
