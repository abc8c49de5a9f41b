import type { IncomingMessage } from 'node:http';
import { isUuid, OPERATIONS, SYSTEM_TENANT } from '@qnsp/kms-core';
import { callerOf, requireAccess, requirePermission } from '@qnsp/kms-core/internal';
import type { MaybePromise } from '@qnsp/kms-core/ports';
import { readBody, requireIdentity } from './body.ts';
import type { Call, SignedIn } from './call.ts';

/** A body that was read before the call was looked at, or why it could not be. */
export type BodyRead = Buffer | { readonly error: unknown };

/** This much of a body is kept of everybody with a credential. */
const SMALL_BODY_BYTES = 128 * 1024;
const NO_BODY = Buffer.alloc(0);

/** Reads the body of a call from its request, within the limit of what it asks for. */
export function readCallBody(call: Call, incoming: IncomingMessage): MaybePromise<Buffer> {
  const { target, signedIn } = call;
  const { operation, bodyBytes } = target.kind;
  if (bodyBytes === 0) return NO_BODY;
  requireIdentity(incoming.headers['content-encoding']);
  const { permission } = OPERATIONS[operation];
  const large =
    signedIn !== undefined && permission !== null && !signedIn.identity.permissions.has(permission)
      ? { above: SMALL_BODY_BYTES, admit: () => admitByPolicy(call, signedIn) }
      : undefined;
  return readBody(incoming, bodyBytes, large);
}

/**
 * Lets a caller send a large body who may do the call only by the policy of a key. The address has to name that key.
 *
 * @throws KmsError `FORBIDDEN`
 */
async function admitByPolicy({ edge, target, address }: Call, { identity }: SignedIn): Promise<void> {
  const { kind, keyId } = target;
  const { permission } = OPERATIONS[kind.operation];
  if (permission === null) return;
  const caller = callerOf(identity, identity.tenantId ?? SYSTEM_TENANT, address);
  if (keyId === undefined || !isUuid(keyId)) requirePermission(caller, permission);
  else await requireAccess({ kms: edge.kms, caller }, { keyId: keyId.toLowerCase(), permission });
}
