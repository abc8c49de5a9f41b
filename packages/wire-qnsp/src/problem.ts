import type { Answer, FailedCall, Failure } from '@qnsp/http-edge';
import { activationProblem, ERROR_STATUS, problem } from '@qnsp/kms-contract';
import { allowedMethods } from './find-target.ts';
import type { QnspTarget } from './qnsp-target.ts';

/** The answer to a request that failed. */
export function problemAnswer(failure: Failure, { requestId, incoming, target }: FailedCall<QnspTarget>): Answer {
  const { status, body } =
    target?.kind.operation === 'activateSdk'
      ? activationProblem(failure)
      : { status: ERROR_STATUS[failure.code], body: problem(failure, { requestId, timestamp: new Date() }) };
  const allow = failure.code === 'METHOD_NOT_ALLOWED' && incoming ? allowedMethods(incoming) : undefined;
  return {
    status,
    body: JSON.stringify(body),
    headers: {
      'content-type': 'application/json',
      'x-request-id': requestId,
      'cache-control': 'no-store',
      ...(failure.retryAfterSeconds === undefined ? {} : { 'retry-after': String(failure.retryAfterSeconds) }),
      ...(failure.code === 'UNAUTHORIZED' ? { 'www-authenticate': 'Bearer' } : {}),
      ...(allow === undefined ? {} : { allow }),
    },
  };
}
