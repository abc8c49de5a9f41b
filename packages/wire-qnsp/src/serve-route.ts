import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import {
  type Answer,
  beginEvidence,
  callerAddress,
  identify,
  identifyAgain,
  parseJsonObject,
  readBody,
  requireIdentity,
} from '@qnsp/http-edge';
import {
  bodyLimit,
  encodeAnswerText,
  entityTag,
  isBatch,
  LIMITS,
  parseRequest,
  type RawRequest,
  type Route,
} from '@qnsp/kms-contract';
import {
  andThen,
  type Caller,
  callerOf,
  canonicalJson,
  type IdempotencyRequest,
  type Identity,
  isUuid,
  KmsError,
  lengthPrefixed,
  type MaybePromise,
  type OperationEvidence,
  type Permission,
  requireAccess,
  requirePermission,
  SYSTEM_TENANT,
  withEvidence,
} from '@qnsp/kms-core';
import { authenticate } from './authenticate.ts';
import { describeRequest } from './begin-evidence.ts';
import { handlerOf } from './handlers/handlers.ts';
import { namingAsSent } from './naming-as-sent.ts';
import { serveBatch } from './serve-batch.ts';
import type { QnspParts } from './handlers/service-facts.ts';

/** What the path and the query of a request say. */
type RequestAddress = Required<Pick<RawRequest, 'params' | 'query'>>;

/** What became known about the caller while a request was served; for the log. */
export interface Served {
  tenantId: string | undefined;
  subject: string | undefined;
  /** Whether the evidence of the operation has begun, which then records what becomes of it. */
  recorded: boolean;
}

/**
 * Serves one request of a route: credential, body, tenant, validation, operation, answer, in this order. Without a promise
 * when the body was read, credential and key are held in memory, and no evidence is kept.
 *
 * @param read the body, where it was read already
 * @throws KmsError for everything that goes wrong.
 */
export function serveRoute(
  parts: QnspParts,
  incoming: IncomingMessage,
  route: Route,
  address: RequestAddress,
  requestId: string,
  served: Served,
  read?: Buffer,
): MaybePromise<Answer> {
  const { edge } = parts;
  if (route.auth !== 'none') edge.readiness.requireServing();
  const credential = route.auth === 'none' ? undefined : identify(edge.verifiers, incoming.headers.authorization);
  return andThen(credential, (identity) => {
    const evidence =
      identity &&
      edge.trail &&
      beginEvidence(edge.trail, edge.kms.clock, route.operationId, identity, incoming, requestId);
    served.recorded = evidence !== undefined;
    const serveBody = (bytes: Buffer) =>
      serveIdentified(parts, incoming, route, address, requestId, served, identity, evidence, bytes);
    const serve = () => {
      if (read !== undefined) return serveBody(read);
      const requireValid = identity && identifyAgain(parts.edge.verifiers, incoming.headers.authorization);
      const body = bodyOf(parts, incoming, route, address, identity);
      return andThen(body, (bytes) => andThen(requireValid?.(), () => serveBody(bytes)));
    };
    return evidence === undefined ? serve() : withEvidence(evidence, serve);
  });
}

const NO_BODY = Buffer.alloc(0);

/** So much of a body is kept of everybody with a credential. */
const SMALL_BODY_BYTES = 128 * 1024;

function bodyOf(
  parts: QnspParts,
  incoming: IncomingMessage,
  route: Route,
  address: RequestAddress,
  identity: Identity | undefined,
): MaybePromise<Buffer> {
  if (route.method === 'GET') return NO_BODY;
  requireIdentity(incoming.headers['content-encoding']);
  const { permission } = route;
  const large =
    identity && permission && !identity.permissions.has(permission)
      ? { above: SMALL_BODY_BYTES, admit: () => admitByPolicy(parts, incoming, permission, address, identity) }
      : undefined;
  return readBody(incoming, bodyLimit(route), large);
}

/**
 * Allows a large body from a caller who may make the call only because of a key's policy. The path must name that key.
 *
 * @throws KmsError `FORBIDDEN`
 */
async function admitByPolicy(
  { edge: { kms, gatewayCredential } }: QnspParts,
  incoming: IncomingMessage,
  permission: Permission,
  { params }: RequestAddress,
  identity: Identity,
): Promise<void> {
  const caller = callerOf(identity, identity.tenantId ?? SYSTEM_TENANT, callerAddress(incoming, gatewayCredential));
  const keyId = params['keyId'];
  if (keyId === undefined || !isUuid(keyId)) requirePermission(caller, permission);
  else await requireAccess({ kms, caller }, { keyId: keyId.toLowerCase(), permission });
}

/** Serves a request whose body is there, for a credential that is known, or for nobody on an open route. */
function serveIdentified(
  parts: QnspParts,
  incoming: IncomingMessage,
  route: Route,
  address: RequestAddress,
  requestId: string,
  served: Served,
  identity: Identity | undefined,
  evidence: OperationEvidence | undefined,
  bytes: Buffer,
): MaybePromise<Answer> {
  const body = parseJsonObject(bytes, incoming.headers['content-type']);
  const raw: RawRequest = {
    ...address,
    body,
    headers: incoming.headers,
  };
  const caller =
    identity === undefined
      ? undefined
      : authenticate(identity, route, raw, callerAddress(incoming, parts.edge.gatewayCredential));
  if (caller !== undefined) evidence?.actsFor(caller.tenantId, caller.attributes.ip);
  served.tenantId = caller?.tenantId;
  served.subject = caller?.subject;
  if (isBatch(route, body)) {
    const call = {
      requestId,
      evidence,
      requireValid: identity && identifyAgain(parts.edge.verifiers, incoming.headers.authorization),
      isGone: () => incoming.socket.destroyed,
    };
    return serveBatch(parts, route, raw, caller, call).then((answer) =>
      respond(route, requestId, JSON.stringify(answer)),
    );
  }
  if (bytes.length > LIMITS.bodyBytes)
    throw new KmsError('PAYLOAD_TOO_LARGE', `The request body is larger than ${LIMITS.bodyBytes} bytes.`, {
      details: { limit: LIMITS.bodyBytes },
    });
  const request = parseRequest(route, raw);
  if (evidence !== undefined) describeRequest(evidence, request);
  const idempotency = idempotencyOf(route, raw, request.idempotencyKey, caller);
  const call = { facts: parts.facts, op: { kms: parts.edge.kms, caller, evidence, idempotency }, request };
  const done =
    request.sentNames === undefined
      ? handlerOf(route)(call)
      : namingAsSent(request.sentNames, () => handlerOf(route)(call));
  return andThen(done, (result) =>
    respond(
      route,
      requestId,
      encodeAnswerText(
        route,
        request.warnings === undefined ? result : warning(result, request.warnings),
        request.dialect,
      ),
      statusOf(route, result),
      entityTag(route, result),
    ),
  );
}

function respond(route: Route, requestId: string, text: string, status: number = route.status, etag?: string): Answer {
  const type = route.contentType ?? 'application/json';
  const headers = { 'content-type': type, 'x-request-id': requestId, 'cache-control': 'no-store' };
  return { status, headers: etag === undefined ? headers : { ...headers, etag }, body: text };
}

/** The answer of a list, with what the request was warned of after its own warnings. */
function warning(result: unknown, warnings: readonly string[]): unknown {
  // Only lists are warned of, and their answers are objects.
  const list = result as { readonly warnings?: readonly string[] };
  return { ...list, warnings: [...(list.warnings ?? []), ...warnings] };
}

/** Health answers also come with 503: the answer says so itself. */
function statusOf(route: Route, result: unknown): number {
  const critical =
    route.otherStatuses !== undefined &&
    typeof result === 'object' &&
    result !== null &&
    'status' in result &&
    result.status === 'critical';
  return critical ? 503 : route.status;
}

function idempotencyOf(
  route: Route,
  raw: RawRequest,
  key: string | undefined,
  caller: Caller | undefined,
): IdempotencyRequest | undefined {
  if (key === undefined || caller === undefined) return undefined;
  const what = lengthPrefixed([
    caller.subject,
    route.operationId,
    canonicalJson(raw.params),
    canonicalJson(raw.query),
    canonicalJson(raw.body),
    String(raw.headers?.['if-match'] ?? ''),
  ]);
  return { key, fingerprint: createHash('sha256').update(what).digest() };
}
