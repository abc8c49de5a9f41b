import { KmsError } from '@qnsp/kms-core';

/** The error for a path that there is nothing at. */
export function nothingAtPath(): KmsError {
  return new KmsError('NOT_FOUND', 'There is nothing at this path.');
}
