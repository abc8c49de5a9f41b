import { KmsError, type KmsErrorCode } from '@qnsp/kms-core';

/** What an error tells the caller; every `KmsError` is one. */
export interface Failure {
  readonly code: KmsErrorCode;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>> | undefined;
  readonly retryAfterSeconds?: number | undefined;
}

/** What a failure tells the outside: an error of the KMS as it is, anything else as an internal error without a word. */
export function failureOf(error: unknown): Failure {
  const known = KmsError.is(error) && error.code !== 'INTERNAL_ERROR';
  return {
    code: known ? error.code : 'INTERNAL_ERROR',
    message: known ? error.message : 'Internal error. The service log has the cause under this request id.',
    ...(known && error.details !== undefined ? { details: error.details } : {}),
    ...(known && error.retryAfterSeconds !== undefined ? { retryAfterSeconds: error.retryAfterSeconds } : {}),
  };
}
