import { KmsClientError } from '../src/index.ts';

/** The error that a promise is rejected with, which must be one of the client. */
export async function failureOf(promise: Promise<unknown>): Promise<KmsClientError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof KmsClientError) return error;
  throw new Error('the call did not fail as a KmsClientError', { cause: error });
}
