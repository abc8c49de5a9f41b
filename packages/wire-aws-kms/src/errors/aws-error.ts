import { KmsError, type KmsErrorCode } from '@qnsp/kms-core';

/** An error as AWS KMS names it. */
export interface AwsError {
  /** Such as `NotFoundException`. */
  readonly type: string;
  /** Absent where AWS says nothing beside the name. */
  readonly message?: string | undefined;
}

/** The error for a refusal that AWS has a name for; `code` is what it is to everybody else, such as the evidence. */
export function awsError(code: KmsErrorCode, type: string, message?: string, cause?: unknown): KmsError {
  const aws: AwsError = message === undefined ? { type } : { type, message };
  return new KmsError(code, message ?? type, { details: { aws }, cause });
}

/** What AWS calls an error that {@link awsError} made; `undefined` for any other. */
export function awsErrorIn(details: Readonly<Record<string, unknown>> | undefined): AwsError | undefined {
  // Nothing else writes the detail.
  return details?.['aws'] as AwsError | undefined;
}

/** The error for what AWS KMS does and this interface does not, or not yet. */
export function notOffered(what: string): KmsError {
  return awsError('BAD_REQUEST', 'UnsupportedOperationException', `${what} is not supported by this service.`);
}

/** The error for values that contradict one another, or that the key does not go with. */
export function invalid(message: string): KmsError {
  return awsError('BAD_REQUEST', 'ValidationException', message);
}
