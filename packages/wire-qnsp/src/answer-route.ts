import type { IncomingMessage } from 'node:http';
import { type Answer, type EdgeLogs, knownAddress, type RequestFields, requestId } from '@qnsp/http-edge';
import { ERROR_STATUS, type RawRequest, type Route } from '@qnsp/kms-contract';
import { KmsError, type MaybePromise, RefusedCredential } from '@qnsp/kms-core';
import { answerProblem } from './problem-answer.ts';
import { type Served, serveRoute } from './serve-route.ts';
import type { QnspParts } from './handlers/service-facts.ts';

const MOST_USER_AGENT = 256;

/**
 * Serves a request of a route and leaves its line in the log and its mark in the metrics, whatever becomes of it. Never
 * throws or rejects, and answers without a promise when nothing had to be waited for.
 *
 * @param body the bytes of the body where they were read already, by a route that limits them
 */
export function answerRoute(
  parts: QnspParts,
  incoming: IncomingMessage,
  route: Route,
  address: Required<Pick<RawRequest, 'params' | 'query'>>,
  body?: Buffer,
): MaybePromise<Answer> {
  const { edge } = parts;
  const started = performance.now();
  const id = requestId(incoming.headers['x-request-id']);
  const served: Served = { tenantId: undefined, subject: undefined, recorded: false };
  const leave = (answer: Answer, failure: unknown): Answer => {
    const durationMs = performance.now() - started;
    edge.metrics.observe(route.operationId, answer.status, durationMs);
    const fields: RequestFields = {
      requestId: id,
      operation: route.operationId,
      status: answer.status,
      durationMs,
      tenantId: served.tenantId,
      subject: served.subject,
      ...(failure === undefined ? undefined : refusedFields(edge.gatewayCredential, incoming, failure)),
    };
    if (failure === undefined) edge.logs.access(fields);
    else logFailure(edge.logs, fields, failure);
    return answer;
  };
  const succeed = (answer: Answer) => leave(answer, undefined);
  const fail = (error: unknown) => leave(answerProblem(error, id, route.operationId === 'activateSdk'), error);
  /** Of a token that is known the refusal is in the evidence before it is answered. */
  const recordRefusal = async (refused: RefusedCredential): Promise<Answer> => {
    await edge.refusedTokens.record(edge, route.operationId, incoming, id, refused);
    return fail(refused);
  };
  const failed = (reason: unknown): MaybePromise<Answer> =>
    reason instanceof RefusedCredential && edge.trail !== undefined && !served.recorded
      ? recordRefusal(reason)
      : fail(reason);
  try {
    const answer = serveRoute(parts, incoming, route, address, id, served, body);
    return answer instanceof Promise ? answer.then(succeed, failed) : succeed(answer);
  } catch (error) {
    return failed(error);
  }
}

/** Who was refused: nobody knows more of a call without a valid credential than where it came from and what it says it is. */
function refusedFields(
  gatewayCredential: string | undefined,
  incoming: IncomingMessage,
  error: unknown,
): Partial<RequestFields> {
  if (!(error instanceof KmsError) || error.code !== 'UNAUTHORIZED') return {};
  const userAgent = incoming.headers['user-agent'];
  return {
    address: knownAddress(incoming, gatewayCredential),
    ...(userAgent === undefined ? {} : { userAgent: userAgent.slice(0, MOST_USER_AGENT) }),
    ...(error instanceof RefusedCredential ? { subject: error.subject, tenantId: error.tenantId ?? undefined } : {}),
  };
}

/** Logs a request that failed. */
export function logFailure({ log, access }: EdgeLogs, fields: RequestFields, failure: unknown): void {
  const code = failureCode(failure);
  // What the service did wrong is worth its cause, what it lacks its reason, and what a client did wrong its code.
  if (code === 'INTERNAL_ERROR') log.error({ ...fields, code, err: failure }, 'request failed');
  else if (failure instanceof KmsError && ERROR_STATUS[failure.code] === 503)
    log.warn({ ...fields, code, reason: reasonOf(failure) }, 'request could not be served');
  // A conflict with a cause is one with what is stored: somebody may have changed that.
  else if (failure instanceof KmsError && failure.code === 'CONFLICT' && failure.cause !== undefined)
    log.warn({ ...fields, code, reason: reasonOf(failure) }, 'request conflicts with what is stored');
  else access({ ...fields, code });
}

function failureCode(failure: unknown): KmsError['code'] {
  return failure instanceof KmsError ? failure.code : 'INTERNAL_ERROR';
}

/** In one line why something that the service needs was not there. There is one for each call of an outage. */
function reasonOf({ message, cause }: KmsError): string {
  if (!(cause instanceof Error)) return message;
  const code = 'code' in cause && typeof cause.code === 'string' ? `${cause.code}: ` : '';
  return `${message} (${code}${cause.message})`;
}
