import { KmsError } from './kms-error.ts';

/**
 * Something names another version of a tenant's master key than the caller knows: it was rotated in the meantime. A caller that asks for the
 * master keys again and repeats the work finds the version.
 */
export class NewerMasterKey extends KmsError {
  readonly isNewerMasterKey = true;

  /** As {@link KmsError.is}, of this one. */
  static override is(value: unknown): value is NewerMasterKey {
    return KmsError.is(value) && 'isNewerMasterKey' in value;
  }
}

/** What a store throws at a write under a version that it has destroyed. Nothing of the unit of work is kept. */
export function masterKeyRetired(cause?: unknown): NewerMasterKey {
  return new NewerMasterKey('STORE_UNAVAILABLE', 'The master key of the tenant was just rotated. Try again.', {
    retryAfterSeconds: 1,
    cause,
  });
}
