import type { Answer, FailedCall, Failure } from '@qnsp/http-edge';
import { activationProblem, ERROR_STATUS, problem } from '@qnsp/kms-contract';
import type { RateLimitDetails } from '@qnsp/kms-core/ports';
import { allowedMethods } from './find-target.ts';
import type { QnspTarget } from './qnsp-target.ts';

/** The answer to a request that failed. */
export function problemAnswer(failed: Failure, { requestId, incoming, target }: FailedCall<QnspTarget>): Answer {
  const limited = failed.code === 'TOO_MANY_REQUESTS';
  const failure =
    limited && target ? { ...failed, details: { routeId: target.kind.route.operationId, ...failed.details } } : failed;
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
      ...(limited ? rateLimitHeaders(failure.details ?? {}) : {}),
      ...(failure.code === 'UNAUTHORIZED' ? { 'www-authenticate': 'Bearer' } : {}),
      ...(allow === undefined ? {} : { allow }),
    },
  };
}

const RATE_LIMIT_HEADERS = {
  'x-ratelimit-limit': 'limit',
  'x-ratelimit-remaining': 'remaining',
  'x-ratelimit-reset': 'reset',
} as const satisfies Readonly<Record<string, keyof RateLimitDetails>>;

function rateLimitHeaders(details: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(RATE_LIMIT_HEADERS).flatMap(([header, name]) => {
      const value = details[name];
      return typeof value === 'number' ? [[header, String(value)]] : [];
    }),
  );
}
