import type { MaybePromise } from '../base/maybe-promise.ts';
import { KmsError } from '../errors/kms-error.ts';

/** What the work makes, or the error of the KMS that it ends with. */
export function attempt<T>(work: () => MaybePromise<T>): MaybePromise<T | KmsError> {
  const caught = (error: unknown): KmsError => {
    if (KmsError.is(error)) return error;
    throw error;
  };
  try {
    const made = work();
    return made instanceof Promise ? made.catch(caught) : made;
  } catch (error) {
    return caught(error);
  }
}
