import { KmsError } from './kms-error.ts';

/**
 * The store was asked to commit and has not said whether it did, and could not be asked again yet. Anyone who wants to
 * know waits for `made`, which ends when the store answers again; it may never do so in the lifetime of this process.
 */
export class OutcomeUnknown extends KmsError {
  /** Whether the unit of work was committed. Never rejects. */
  readonly made: Promise<boolean>;

  constructor(made: Promise<boolean>, cause: unknown) {
    super(
      'STORE_UNAVAILABLE',
      'The database did not say whether the change was made. Repeat the call with the same Idempotency-Key to settle it; ' +
        'without one, check before you repeat it.',
      { retryAfterSeconds: 1, details: { outcome: 'unknown' }, cause },
    );
    this.made = made;
  }

  /** As {@link KmsError.is}, of this one. */
  static override is(value: unknown): value is OutcomeUnknown {
    return KmsError.is(value) && 'made' in value && value.made instanceof Promise;
  }
}
