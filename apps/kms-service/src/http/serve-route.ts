import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import {
  encodeAnswer,
  entityTag,
  isBatch,
  itemProblem,
  LIMITS,
  parseBatch,
  parseRequest,
  type RawRequest,
  type Route,
} from '@qnsp/kms-contract';
import {
  type Caller,
  canonicalJson,
  type IdempotencyRequest,
  type Kms,
  KmsError,
  lengthPrefixed,
  type OperationEvidence,
  type TokenIdentity,
  withEvidence,
} from '@qnsp/kms-core';
import type { AppParts } from '../app.ts';
import { beginEvidence, describeRequest } from '../evidence/begin-evidence.ts';
import { handlerOf } from '../handlers/handlers.ts';
import type { Answer } from './answer.ts';
import { authenticate, identify } from './authenticate.ts';
import { callerAddress } from './caller-address.ts';
import { requireSameTenant } from './tenant.ts';
import { parseJsonObject, readBody } from './body.ts';
import { failureOf } from './problem-answer.ts';

/** What the path and the query of a request say. */
type RequestAddress = Required<Pick<RawRequest, 'params' | 'query'>>;

/** What became known about the caller while a request was served; for the log. */
export interface Served {
  tenantId: string | undefined;
  subject: string | undefined;
}

/**
 * Serves one request of a route: credential, body, tenant, validation, operation, answer, in this order.
 *
 * @throws KmsError for everything that goes wrong.
 */
export async function serveRoute(
  parts: AppParts,
  incoming: IncomingMessage,
  route: Route,
  address: RequestAddress,
  requestId: string,
  served: Served,
): Promise<Answer> {
  if (route.auth !== 'none') parts.readiness.requireServing();
  const identity = route.auth === 'none' ? undefined : await identify(parts.kms, incoming.headers.authorization);
  const evidence =
    identity &&
    parts.evidence &&
    beginEvidence(parts.evidence.trail, parts.kms.clock, route, identity, incoming, requestId);
  if (evidence === undefined)
    return serveIdentified(parts, incoming, route, address, requestId, served, identity, undefined);
  return withEvidence(evidence, () =>
    serveIdentified(parts, incoming, route, address, requestId, served, identity, evidence),
  );
}

/** Serves a request from its body on, for a credential that is known, or for nobody on an open route. */
async function serveIdentified(
  parts: AppParts,
  incoming: IncomingMessage,
  route: Route,
  address: RequestAddress,
  requestId: string,
  served: Served,
  identity: TokenIdentity | undefined,
  evidence: OperationEvidence | undefined,
): Promise<Answer> {
  const bytes =
    route.method === 'GET'
      ? Buffer.alloc(0)
      : await readBody(incoming, route.crypto === undefined ? LIMITS.bodyBytes : LIMITS.batchBodyBytes);
  const body = parseJsonObject(bytes, incoming.headers['content-type']);
  const raw: RawRequest = {
    ...address,
    body,
    headers: incoming.headers,
  };
  const caller =
    identity === undefined
      ? undefined
      : authenticate(identity, route, raw, callerAddress(incoming, parts.gatewayCredential));
  if (caller !== undefined) evidence?.actsFor(caller.tenantId, caller.attributes.ip);
  served.tenantId = caller?.tenantId;
  served.subject = caller?.subject;
  if (isBatch(route, body))
    return respond(
      route,
      requestId,
      await serveBatch(parts, route, raw, caller, {
        requestId,
        evidence,
        isGone: () => incoming.socket.destroyed,
      }),
    );
  if (bytes.length > LIMITS.bodyBytes)
    throw new KmsError('PAYLOAD_TOO_LARGE', `The request body is larger than ${LIMITS.bodyBytes} bytes.`, {
      details: { limit: LIMITS.bodyBytes },
    });
  const request = parseRequest(route, raw);
  if (evidence !== undefined) describeRequest(evidence, request);
  const once = idempotencyOf(route, raw, request.idempotencyKey, caller);
  const result = await handlerOf(route)({ parts, kms: leaving(parts.kms, evidence), caller, request, once });
  const answer = encodeAnswer(route, result, request.dialect);
  return respond(route, requestId, answer, statusOf(route, result), entityTag(route, result));
}

/** How many items of one batch are worked on at a time, so that one batch does not hold up everybody else. */
const ITEMS_AT_ONCE = 8;

interface BatchCall {
  readonly requestId: string;
  readonly evidence: OperationEvidence | undefined;
  readonly isGone: () => boolean;
}

async function serveBatch(
  parts: AppParts,
  route: Route,
  raw: RawRequest,
  caller: Caller | undefined,
  { requestId, evidence, isGone }: BatchCall,
): Promise<unknown> {
  const handler = handlerOf(route);
  const items = parseBatch(route, raw);
  evidence?.comesInItems();
  const answers: unknown[] = Array(items.length);
  const queue = items.entries();
  const work = async () => {
    for (const [index, item] of queue) {
      // Nobody waits for the rest of a batch whose client went away.
      if (isGone()) return;
      const serveItem = async (left: OperationEvidence | undefined) => {
        if ('error' in item) throw item.error;
        if (caller !== undefined) requireSameTenant(caller, item.body);
        const request = { params: {}, query: {}, ...item };
        if (left !== undefined) describeRequest(left, request);
        const result = await handler({ parts, kms: leaving(parts.kms, left), caller, request, once: {} });
        return encodeAnswer(route, result, item.dialect);
      };
      try {
        const left = evidence?.item();
        answers[index] = await withEvidence(left, () => serveItem(left));
      } catch (error) {
        // One item that fails is that item's answer, also when the service is at fault; the log says why.
        if (!(error instanceof KmsError) || error.code === 'INTERNAL_ERROR')
          parts.logs.log.error({ requestId, err: error }, 'batch item failed');
        answers[index] = { error: itemProblem(failureOf(error)) };
      }
    }
  };
  await Promise.all(Array.from({ length: ITEMS_AT_ONCE }, work));
  return { items: answers };
}

/** The service as one operation sees it that leaves evidence. */
function leaving(kms: Kms, evidence: OperationEvidence | undefined): Kms {
  return evidence === undefined ? kms : { ...kms, evidence };
}

function respond(
  route: Route,
  requestId: string,
  answer: unknown,
  status: number = route.status,
  etag?: string,
): Answer {
  const type = route.contentType ?? 'application/json';
  const text = typeof answer === 'string' ? answer : JSON.stringify(answer);
  const headers = { 'content-type': type, 'x-request-id': requestId, 'cache-control': 'no-store' };
  return { status, headers: etag === undefined ? headers : { ...headers, etag }, body: text };
}

/** Health answers come with 503, too: the answer says so itself. */
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
): { idempotency?: IdempotencyRequest } {
  if (key === undefined || caller === undefined) return {};
  const what = lengthPrefixed([
    caller.subject,
    route.operationId,
    canonicalJson(raw.params),
    canonicalJson(raw.query),
    canonicalJson(raw.body),
    String(raw.headers?.['if-match'] ?? ''),
  ]);
  return { idempotency: { key, fingerprint: createHash('sha256').update(what).digest() } };
}
