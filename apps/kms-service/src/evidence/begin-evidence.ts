import type { IncomingMessage } from 'node:http';
import type { OperationId, Route } from '@qnsp/kms-contract';
import {
  type AuditEventType,
  type AuditResource,
  type EvidenceTrail,
  isUuid,
  OperationEvidence,
  SYSTEM_TENANT,
  type TokenIdentity,
} from '@qnsp/kms-core';

/** What each operation leaves. Those without a credential leave nothing: they name nobody and do nothing. */
const EVENT_TYPES: Readonly<Record<OperationId, AuditEventType | null>> = {
  createKey: 'kms.key.created',
  listKeys: 'kms.key.listed',
  getKeyStats: 'kms.key.listed',
  getKey: 'kms.key.read',
  updateKey: 'kms.key.updated',
  getPublicKey: 'kms.key.read',
  listRotationSchedules: 'kms.key.listed',
  listUpcomingRotations: 'kms.key.listed',
  rotateKey: 'kms.key.rotated',
  upgradeKey: 'kms.key.upgraded',
  suspendKey: 'kms.key.suspended',
  resumeKey: 'kms.key.resumed',
  revokeKey: 'kms.key.revoked',
  destroyKey: 'kms.key.destruction-scheduled',
  restoreKey: 'kms.key.restored',
  shredKey: 'kms.key.shredded',
  getKeyPolicy: 'kms.key.read',
  putKeyPolicy: 'kms.key.updated',
  deleteKeyPolicy: 'kms.key.updated',
  encrypt: 'kms.encrypt',
  decrypt: 'kms.decrypt',
  reencrypt: 'kms.reencrypt',
  sign: 'kms.sign',
  verify: 'kms.verify',
  wrap: 'kms.wrap',
  unwrap: 'kms.unwrap',
  createDataKey: 'kms.data-key',
  mac: 'kms.mac',
  verifyMac: 'kms.mac-verify',
  encapsulate: 'kms.encapsulate',
  decapsulate: 'kms.decapsulate',
  derive: 'kms.derive',
  createToken: 'kms.token.created',
  listTokens: 'kms.token.listed',
  revokeToken: 'kms.token.revoked',
  createTenant: 'kms.tenant.created',
  listTenants: 'kms.tenant.listed',
  shredTenant: 'kms.tenant.shredded',
  listAuditEvents: 'kms.audit.read',
  getAuditProof: 'kms.audit.read',
  listAuditCheckpoints: 'kms.audit.read',
  exportAudit: 'kms.audit.read',
  getImportParameters: 'kms.key.import-parameters',
  importKey: 'kms.key.imported',
  getRandom: 'kms.random',
  activateSdk: 'kms.sdk.activated',
  getHealth: null,
  getLiveness: null,
  getReadiness: null,
  getMetrics: null,
  getOpenApi: null,
};

const SANE_USER_AGENT = /^[\u0020-\u007e]{1,256}$/;

/** Begins the evidence of a request whose credential is known and of which nothing else was looked at yet. */
export function beginEvidence(
  trail: EvidenceTrail,
  clock: () => number,
  route: Route,
  identity: TokenIdentity,
  incoming: IncomingMessage,
  requestId: string,
): OperationEvidence | undefined {
  // The table has every operation of the contract.
  const eventType = EVENT_TYPES[route.operationId as OperationId];
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
