import type { IncomingMessage } from 'node:http';
import type { Route } from '@qnsp/kms-contract';
import {
  type AuditResource,
  type EvidenceTrail,
  isUuid,
  OperationEvidence,
  OPERATIONS,
  SYSTEM_TENANT,
  type TokenIdentity,
} from '@qnsp/kms-core';

const SANE_USER_AGENT = /^[\u0020-\u007e]{1,256}$/;

/**
 * Begins the evidence of a request whose credential is known and of which nothing else was looked at yet. Operations without an event
 * in the catalogue leave nothing.
 */
export function beginEvidence(
  trail: EvidenceTrail,
  clock: () => number,
  route: Route,
  identity: TokenIdentity,
  incoming: IncomingMessage,
  requestId: string,
): OperationEvidence | undefined {
  const eventType = OPERATIONS[route.operationId].event;
  if (eventType === null) return undefined;
  const userAgent = incoming.headers['user-agent'] ?? '';
  return new OperationEvidence(trail, clock, {
    tenantId: identity.tenantId ?? SYSTEM_TENANT,
    actor: { type: 'service', id: identity.tokenId },
    action: route.operationId,
    eventType,
    context: {
      requestId,
      userAgent: SANE_USER_AGENT.test(userAgent) ? userAgent : null,
      source: 'api',
      ip: incoming.socket.remoteAddress ?? null,
    },
  });
}

interface Understood {
  readonly params: unknown;
  readonly body: unknown;
}

/** Says what a request that was understood is about: its ids, and the names of its encryption context. */
export function describeRequest(evidence: OperationEvidence, { params, body }: Understood): void {
  evidence.concerns(resourceOf(params, body), contextKeysOf(body));
}

function resourceOf(params: unknown, body: unknown): AuditResource {
  const keyId = idIn(params, 'keyId') ?? idIn(body, 'keyId') ?? idIn(body, 'sourceKeyId');
  if (keyId !== null) return { type: 'key', id: keyId, version: null };
  const tokenId = idIn(params, 'tokenId');
  if (tokenId !== null) return { type: 'token', id: tokenId, version: null };
  const tenantId = idIn(params, 'tenantId');
  if (tenantId !== null) return { type: 'tenant', id: tenantId, version: null };
  return { type: 'service', id: null, version: null };
}

function idIn(fields: unknown, name: string): string | null {
  if (typeof fields !== 'object' || fields === null || !(name in fields)) return null;
  const value: unknown = Reflect.get(fields, name);
  return typeof value === 'string' && isUuid(value) ? value.toLowerCase() : null;
}

function contextKeysOf(body: unknown): readonly string[] {
  if (typeof body !== 'object' || body === null || !('context' in body)) return [];
  const { context } = body;
  // A signature has a context of bytes, which are no names.
  if (typeof context !== 'object' || context === null || context instanceof Uint8Array) return [];
  return Object.keys(context)
    .map((name) => name.toWellFormed())
    .sort();
}
