import type { IncomingMessage } from 'node:http';
import { ERROR_STATUS, type RawRequest, type Route } from '@qnsp/kms-contract';
import { KmsError } from '@qnsp/kms-core';
import type { AppParts } from '../app.ts';
import type { Answer } from './answer.ts';
import type { Logs } from './logger.ts';
import { answerProblem } from './problem-answer.ts';
import { requestId } from './request-id.ts';
import { type Served, serveRoute } from './serve-route.ts';

/** Serves a request of a route and leaves its line in the log and its mark in the metrics, whatever becomes of it. */
export async function answerRoute(
  parts: AppParts,
  incoming: IncomingMessage,
  route: Route,
  address: Required<Pick<RawRequest, 'params' | 'query'>>,
): Promise<Answer> {
  const started = performance.now();
  const id = requestId(incoming.headers['x-request-id']);
  const served: Served = { tenantId: undefined, subject: undefined };
  let answer: Answer;
  let failure: unknown;
  try {
    answer = await serveRoute(parts, incoming, route, address, id, served);
  } catch (error) {
    failure = error;
    answer = answerProblem(error, id, route.operationId === 'activateSdk');
  }
  const durationMs = performance.now() - started;
  parts.metrics.observe(route.operationId, answer.status, durationMs);
  const fields: RequestFields = {
    requestId: id,
    operation: route.operationId,
    status: answer.status,
    durationMs: Math.round(durationMs * 1000) / 1000,
    tenantId: served.tenantId,
    subject: served.subject,
  };
  if (failure === undefined) parts.logs.access.info(fields, 'request');
  else logFailure(parts.logs, fields, failure);
  return answer;
}

/** What a line of the log says about a request. Nothing that a client chose, but for the checked request id. */
export interface RequestFields {
  readonly requestId: string;
  readonly operation?: string;
  readonly status: number;
  readonly durationMs?: number;
  readonly tenantId?: string | undefined;
  readonly subject?: string | undefined;
}

/** Logs a request that failed. */
export function logFailure({ log, access }: Logs, fields: RequestFields, failure: unknown): void {
  const code = failureCode(failure);
  // What the service did wrong is worth its cause, what it lacks its reason, and what a client did wrong its code.
  if (code === 'INTERNAL_ERROR') log.error({ ...fields, code, err: failure }, 'request failed');
  else if (failure instanceof KmsError && ERROR_STATUS[failure.code] === 503)
    log.warn({ ...fields, code, reason: reasonOf(failure) }, 'request could not be served');
  else access.info({ ...fields, code }, 'request');
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
