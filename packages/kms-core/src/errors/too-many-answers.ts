import { KmsError } from './kms-error.ts';

const LIMIT = 'keptAnswers';

/**
 * The error for one more answer than may be kept for a tenant under idempotency keys; `details` name the `limit` as `keptAnswers`, and
 * `maximum` and `used`.
 *
 * @param retryAfterSeconds until as many of them have expired as it takes
 */
export function tooManyAnswers(maximum: number, used: number, retryAfterSeconds: number): KmsError {
  const message = `The tenant has ${used} answers kept under idempotency keys, of at most ${maximum}. Wait until older ones expire, a day after their calls, or have the operator of the service raise its limit.`;
  return new KmsError('TOO_MANY_REQUESTS', message, { details: { limit: LIMIT, maximum, used }, retryAfterSeconds });
}

/** Whether an error is that of {@link tooManyAnswers}. */
export function isTooManyAnswers(error: unknown): boolean {
  return KmsError.is(error) && error.code === 'TOO_MANY_REQUESTS' && error.details?.['limit'] === LIMIT;
}
