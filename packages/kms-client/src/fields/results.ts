import type { BatchResult } from '../batch.ts';
import { KmsClientError } from '../errors/kms-client-error.ts';

/** The next of results of which there is one for each value. */
export function next<Result>(results: Iterator<BatchResult<Result>, undefined>): BatchResult<Result> {
  const { done, value } = results.next();
  if (done === true) throw new KmsClientError('UNEXPECTED_ANSWER', 'There are fewer results than values.');
  return value;
}

/** The result of the only value. */
export function only<Result>([result]: readonly BatchResult<Result>[]): Result {
  if (result === undefined) throw new KmsClientError('UNEXPECTED_ANSWER', 'There is no result for the value.');
  if (!result.ok) throw result.error;
  return result.value;
}

/** A result with its value changed; an error stays. */
export function mapped<From, To>(result: BatchResult<From>, change: (value: From) => To): BatchResult<To> {
  return result.ok ? { ok: true, value: change(result.value) } : result;
}
