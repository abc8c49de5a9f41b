/** Every way in which an operation of the KMS can fail. Callers branch on the code, never on the message. */
export type KmsErrorCode =
  | 'BAD_REQUEST'
  | 'UNAUTHORIZED'
  | 'FORBIDDEN'
  | 'TENANT_MISMATCH'
  | 'QUOTA_EXCEEDED'
  | 'NOT_FOUND'
  | 'METHOD_NOT_ALLOWED'
  | 'CONFLICT'
  | 'APPROVAL_REQUIRED'
  | 'KEY_STATE_INVALID'
  | 'IDEMPOTENCY_MISMATCH'
  | 'PAYLOAD_TOO_LARGE'
  | 'UNSUPPORTED_MEDIA_TYPE'
  | 'HEADERS_TOO_LARGE'
  | 'DECRYPT_FAILED'
  | 'KEY_USAGE_EXCEEDED'
  | 'TOO_MANY_REQUESTS'
  | 'INTERNAL_ERROR'
  | 'HSM_UNAVAILABLE'
  | 'STORE_UNAVAILABLE'
  | 'AUDIT_UNAVAILABLE'
  | 'SEALED';

/** What an error says besides its code and its message. */
export interface KmsErrorOptions {
  /** Facts for the caller, safe to show: never key material, plaintext, a credential or a PIN. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** How long the caller should wait before it tries again, in whole seconds. */
  readonly retryAfterSeconds?: number;
  /** What went wrong underneath; for logs only. */
  readonly cause?: unknown;
}

/** The same symbol in every copy of this package, of whatever version. */
const BRAND: unique symbol = Symbol.for('@qnsp/kms-core/error');

/**
 * The one error class of the KMS.
 *
 * @example
 * import { KmsError } from '@qnsp/kms-core';
 * const error = new KmsError('NOT_FOUND', 'No key with this id exists for this tenant.', { details: { keyId: 'a' } });
 * console.log(error.code, error.details); // NOT_FOUND { keyId: 'a' }
 */
export class KmsError extends Error {
  readonly code: KmsErrorCode;
  readonly details: Readonly<Record<string, unknown>> | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: KmsErrorCode, message: string, options: KmsErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'KmsError';
    this.code = code;
    this.details = options.details;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }

  get [BRAND](): true {
    return true;
  }

  /**
   * Whether something that was thrown is an error of the KMS. Unlike `instanceof`, it also knows the errors of another copy of
   * this package, as where an application and an adapter have installed one each.
   *
   * @example
   * import { KmsError } from '@qnsp/kms-core';
   * try {
   *   await ada.getRandom({ bytes: 0 });
   * } catch (error) {
   *   if (!KmsError.is(error)) throw error;
   *   console.log(error.code, error.details?.['issues']); // BAD_REQUEST [ { path: 'bytes', reason: 'must be a whole number from 1 to 1024' } ]
   * }
   */
  static is(value: unknown): value is KmsError {
    return typeof value === 'object' && value !== null && BRAND in value;
  }
}

/** One rejected field of a request: where it is and what is wrong with it. */
export interface Issue {
  readonly path: string;
  readonly reason: string;
}

/** The error for a request whose fields do not hold what they must. */
export function badRequest(path: string, reason: string): KmsError {
  const issues: Issue[] = [{ path, reason }];
  return new KmsError('BAD_REQUEST', `${path}: ${reason}`, { details: { issues } });
}
