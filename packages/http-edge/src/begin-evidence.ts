import { type Identity, KmsError, OPERATIONS, SYSTEM_TENANT } from '@qnsp/kms-core';
import { actorOf, OperationEvidence } from '@qnsp/kms-core/internal';
import type { EvidenceTrail } from '@qnsp/kms-core/ports';
import type { Call } from './call.ts';

const SANE_USER_AGENT = /^[\u0020-\u007e]{1,256}$/;

/**
 * Begins the evidence of a call whose credential is known and of which nothing else was looked at yet. Operations without an event
 * in the catalogue leave nothing.
 */
export function beginEvidence(
  trail: EvidenceTrail,
  call: Call,
  identity: Pick<Identity, 'subject' | 'tenantId' | 'credential'>,
): OperationEvidence | undefined {
  const { edge, wire, target, incoming, requestId } = call;
  const { operation } = target.kind;
  const eventType = OPERATIONS[operation].event;
  if (eventType === null) return undefined;
  const userAgent = incoming.headers['user-agent'] ?? '';
  return new OperationEvidence(trail, edge.kms.clock, {
    tenantId: identity.tenantId ?? SYSTEM_TENANT,
    actor: actorOf(identity),
    action: operation,
    eventType,
    context: {
      requestId,
      userAgent: SANE_USER_AGENT.test(userAgent) ? userAgent : null,
      source: wire.source,
      ip: addressOf(call),
    },
  });
}

/** Where a call comes from, which its refusal says, too; of one whose gateway proves nothing, or says no address, that of the peer. */
function addressOf(call: Call): string | null {
  try {
    return call.address;
  } catch (error) {
    if (!KmsError.is(error)) throw error;
    return call.incoming.socket.remoteAddress ?? null;
  }
}
