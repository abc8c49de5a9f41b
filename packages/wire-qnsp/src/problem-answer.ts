import type { Answer } from '@qnsp/http-edge';
import { activationProblem, ERROR_STATUS, type Failure, problem } from '@qnsp/kms-contract';
import { KmsError } from '@qnsp/kms-core';

/**
 * What a failure tells the outside: an error of the KMS as it is, anything else as an internal error without notice.
 */
export function failureOf(error: unknown): Failure {
  const known = error instanceof KmsError && error.code !== 'INTERNAL_ERROR';
  return {
    code: known ? error.code : 'INTERNAL_ERROR',
    message: known ? error.message : 'Internal error. The service log has the cause under this request id.',
    ...(known && error.details !== undefined ? { details: error.details } : {}),
    ...(known && error.retryAfterSeconds !== undefined ? { retryAfterSeconds: error.retryAfterSeconds } : {}),
  };
}

/** The answer to a request that failed. */
export function answerProblem(
  error: unknown,
  requestId: string,
  activation: boolean,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  const failure = failureOf(error);
  const { status, body } = activation
    ? activationProblem(failure)
    : { status: ERROR_STATUS[failure.code], body: problem(failure, { requestId, timestamp: new Date() }) };
  return {
    status,
    body: JSON.stringify(body),
    headers: {
      'content-type': 'application/json',
      'x-request-id': requestId,
      'cache-control': 'no-store',
      ...(failure.retryAfterSeconds === undefined ? {} : { 'retry-after': String(failure.retryAfterSeconds) }),
      ...(failure.code === 'UNAUTHORIZED' ? { 'www-authenticate': 'Bearer' } : {}),
      ...headers,
    },
  };
}
