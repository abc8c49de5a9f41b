import { createHash } from 'node:crypto';
import { type Answer, type Call, parseJsonObject, recordedPieces } from '@qnsp/http-edge';
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
import { type Caller, KmsError } from '@qnsp/kms-core';
import { describeRequest, sortedJson, type IdempotencyRequest, lengthPrefixed, once } from '@qnsp/kms-core/internal';
import type { MaybePromise } from '@qnsp/kms-core/ports';
import { namingAsSent } from './naming-as-sent.ts';
import type { QnspTarget, RouteKind } from './qnsp-target.ts';
import { serveBatch } from './serve-batch.ts';
import type { AnyHandler } from './handlers/handlers.ts';
import type { OfferedFacts } from './handlers/service-facts.ts';
import { TextStream } from './handlers/text-stream.ts';
import { settleCaller } from './tenant.ts';

/**
 * Does what a request of a route asks for: tenant, validation, operation, answer, in this order. Without a promise when credential and
 * key are held in memory. Throws KmsError for everything that goes wrong.
 *
 * @param facts what the routes about the service itself answer from
 */
export function makePerform(facts: OfferedFacts): (call: Call<QnspTarget>, bytes: Buffer) => MaybePromise<Answer> {
  const perform = (call: Call<QnspTarget>, bytes: Buffer): MaybePromise<Answer> => {
    const { edge, incoming, requestId, target, evidence } = call;
    const { route, handler } = target.kind;
    const body = parseJsonObject(bytes, incoming.headers['content-type']);
    const raw: RawRequest = { params: target.params, query: target.query, body, headers: incoming.headers };
    const caller = settleCaller(call, raw);
    if (body['items'] !== undefined && isBatch(route, body))
      return serveBatch(facts, call, raw).then((text) => answerOf(route, requestId, text));
    if (bytes.length > LIMITS.bodyBytes)
      throw new KmsError('PAYLOAD_TOO_LARGE', `The request body is larger than ${LIMITS.bodyBytes} bytes.`, {
        details: { limit: LIMITS.bodyBytes },
      });
    const request = parseRequest(route, raw);
    if (evidence !== undefined) describeRequest(evidence, request);
    const { idempotencyKey: key } = request;
    const pay = call.isLimited ? call.bill()?.payer() : undefined;
    const op = { kms: edge.kms, caller, evidence, pay, client: call };
    const done =
      key === undefined || caller === undefined
        ? handle(handler, request, { facts, op })
        : once(idempotencyOf(route, raw, key, caller), { ...op, caller }, route.operationId, (held) =>
            handle(handler, request, { facts, op: held }),
          );
    return done instanceof Promise
      ? done.then((late: unknown) =>
          late instanceof TextStream
            ? { ...answerOf(route, requestId, ''), rest: recordedPieces(call, late.pieces) }
            : answerTo(target.kind, requestId, request, late),
        )
      : answerTo(target.kind, requestId, request, done);
  };
  return perform;
}

function handle(
  handler: AnyHandler,
  request: ParsedRequest,
  call: Omit<Parameters<AnyHandler>[0], 'request'>,
): unknown {
  const { sentNames } = request;
  if (sentNames === undefined) return handler({ ...call, request });
  return namingAsSent(sentNames, () => handler({ ...call, request }));
}

/** The answer with a text, which has the status of the route unless the result says otherwise. */
function answerOf(route: Route, requestId: string, body: string, status: number = route.status, etag?: string): Answer {
  const type = route.contentType ?? 'application/json';
  const headers = { 'content-type': type, 'x-request-id': requestId, 'cache-control': 'no-store' };
  return { status, headers: etag === undefined ? headers : { ...headers, etag }, body };
}

function answerTo(
  { route, answersKey }: RouteKind,
  requestId: string,
  request: ParsedRequest,
  result: unknown,
): Answer {
  const { naming, warnings } = request;
  const body = encodeAnswerText(route, warnings === undefined ? result : warning(result, warnings), naming);
  const status = route.otherStatuses === undefined ? route.status : statusOf(route, result);
  const etag = answersKey ? entityTag(route, result) : undefined;
  return answerOf(route, requestId, body, status, etag);
}

/** The answer of a list, with what the request was warned of after its own warnings. */
function warning(result: unknown, warnings: readonly string[]): unknown {
  // Only lists are warned of, and their answers are objects.
  const list = result as { readonly warnings?: readonly string[] };
  return { ...list, warnings: [...(list.warnings ?? []), ...warnings] };
}

/** Health answers come with 503, too: the answer says so itself. */
function statusOf(route: Route, result: unknown): number {
  const critical = typeof result === 'object' && result !== null && 'status' in result && result.status === 'critical';
  return critical ? 503 : route.status;
}

function idempotencyOf(route: Route, raw: RawRequest, key: string, caller: Caller): IdempotencyRequest {
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
