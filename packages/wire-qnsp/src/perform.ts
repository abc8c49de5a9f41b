import { createHash } from 'node:crypto';
import { type Answer, type Call, parseJsonObject } from '@qnsp/http-edge';
import {
  encodeAnswerText,
  entityTag,
  isBatch,
  LIMITS,
  type ParsedRequest,
  parseRequest,
  type RawRequest,
  type Route,
} from '@qnsp/kms-contract';
import {
  type Caller,
  describeRequest,
  sortedJson,
  type IdempotencyRequest,
  KmsError,
  lengthPrefixed,
  type MaybePromise,
} from '@qnsp/kms-core';
import { handlerOf } from './handlers/handlers.ts';
import { namingAsSent } from './naming-as-sent.ts';
import type { QnspTarget } from './qnsp-target.ts';
import { serveBatch } from './serve-batch.ts';
import type { ServiceFacts } from './handlers/service-facts.ts';
import { settleCaller } from './settle-caller.ts';

/**
 * Does what a request of a route asks for: tenant, validation, operation, answer, in this order. Without a promise when credential and
 * key are held in memory.
 *
 * @throws KmsError for everything that goes wrong.
 */
export function perform(facts: ServiceFacts, call: Call<QnspTarget>, bytes: Buffer): MaybePromise<Answer> {
  const { edge, incoming, requestId, target, evidence } = call;
  const { route } = target.kind;
  const body = parseJsonObject(bytes, incoming.headers['content-type']);
  const raw: RawRequest = { params: target.params, query: target.query, body, headers: incoming.headers };
  const caller = settleCaller(call, raw);
  if (isBatch(route, body))
    return serveBatch(facts, call, raw).then((answer) => respond(route, requestId, JSON.stringify(answer)));
  if (bytes.length > LIMITS.bodyBytes)
    throw new KmsError('PAYLOAD_TOO_LARGE', `The request body is larger than ${LIMITS.bodyBytes} bytes.`, {
      details: { limit: LIMITS.bodyBytes },
    });
  const request = parseRequest(route, raw);
  if (evidence !== undefined) describeRequest(evidence, request);
  const idempotency = idempotencyOf(route, raw, request.idempotencyKey, caller);
  const operation = { facts, op: { kms: edge.kms, caller, evidence, idempotency }, request };
  const done =
    request.sentNames === undefined
      ? handlerOf(route)(operation)
      : namingAsSent(request.sentNames, () => handlerOf(route)(operation));
  return done instanceof Promise
    ? done.then((late: unknown) => answerTo(route, requestId, request, late))
    : answerTo(route, requestId, request, done);
}

function answerTo(route: Route, requestId: string, request: ParsedRequest, result: unknown): Answer {
  const { naming, warnings } = request;
  const text = encodeAnswerText(route, warnings === undefined ? result : warning(result, warnings), naming);
  return respond(route, requestId, text, statusOf(route, result), entityTag(route, result));
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
): IdempotencyRequest | undefined {
  if (key === undefined || caller === undefined) return undefined;
  const what = lengthPrefixed([
    caller.subject,
    route.operationId,
    sortedJson(raw.params),
    sortedJson(raw.query),
    sortedJson(raw.body),
    String(raw.headers?.['if-match'] ?? ''),
  ]);
  return { key, fingerprint: createHash('sha256').update(what).digest() };
}
