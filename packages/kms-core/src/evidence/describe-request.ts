import type { AuditResource } from '../model/audit-event.ts';
import { isUuid } from '../model/identifiers.ts';
import type { OperationEvidence } from './operation-evidence.ts';

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
  const identityId = idIn(params, 'bindingId') ?? idIn(params, 'denialId');
  if (identityId !== null) return { type: 'identity', id: identityId, version: null };
  const approvalId = idIn(params, 'approvalId');
  if (approvalId !== null) return { type: 'approval', id: approvalId, version: null };
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
  // A signature has a context of bytes, which are not names.
  if (typeof context !== 'object' || context === null || context instanceof Uint8Array) return [];
  return Object.keys(context)
    .map((name) => name.toWellFormed())
    .sort();
}
