import type { Answer, FailedCall, Failure } from '@qnsp/http-edge';
import type { KmsErrorCode } from '@qnsp/kms-core';
import { type AwsError, awsErrorIn } from '../errors/aws-error.ts';

interface Mapped {
  readonly status: number;
  readonly type: string;
  /** In place of what the error says. */
  readonly message?: string;
}

/** AWS answers all that a client can do something about with 400, whatever its model says. */
const ERRORS: Readonly<Record<KmsErrorCode, Mapped>> = {
  BAD_REQUEST: { status: 400, type: 'ValidationException' },
  UNAUTHORIZED: {
    status: 400,
    type: 'UnrecognizedClientException',
    message: 'The security token included in the request is invalid.',
  },
  FORBIDDEN: { status: 400, type: 'AccessDeniedException' },
  TENANT_MISMATCH: { status: 400, type: 'AccessDeniedException' },
  QUOTA_EXCEEDED: { status: 400, type: 'LimitExceededException' },
  NOT_FOUND: { status: 400, type: 'NotFoundException' },
  METHOD_NOT_ALLOWED: { status: 400, type: 'UnknownOperationException' },
  CONFLICT: { status: 500, type: 'KMSInternalException' },
  APPROVAL_REQUIRED: { status: 400, type: 'KMSInvalidStateException' },
  KEY_STATE_INVALID: { status: 400, type: 'KMSInvalidStateException' },
  IDEMPOTENCY_MISMATCH: { status: 400, type: 'ValidationException' },
  PAYLOAD_TOO_LARGE: { status: 413, type: 'RequestEntityTooLargeException' },
  UNSUPPORTED_MEDIA_TYPE: { status: 400, type: 'SerializationException' },
  HEADERS_TOO_LARGE: { status: 400, type: 'IncompleteSignatureException' },
  DECRYPT_FAILED: { status: 400, type: 'InvalidCiphertextException' },
  KEY_USAGE_EXCEEDED: { status: 400, type: 'KMSInvalidStateException' },
  TOO_MANY_REQUESTS: { status: 400, type: 'ThrottlingException' },
  INTERNAL_ERROR: { status: 500, type: 'KMSInternalException' },
  HSM_UNAVAILABLE: { status: 500, type: 'KeyUnavailableException' },
  STORE_UNAVAILABLE: { status: 503, type: 'DependencyTimeoutException' },
  AUDIT_UNAVAILABLE: { status: 503, type: 'DependencyTimeoutException' },
  SEALED: { status: 500, type: 'KMSInternalException' },
};

/** What AWS sends without a message. */
const SILENT: ReadonlySet<string> = new Set(['InvalidCiphertextException']);

/** The answer to a request that failed. */
export function problemAnswer(failure: Failure, { requestId }: FailedCall): Answer {
  const { status, type, message } = errorOf(failure);
  const { retryAfterSeconds } = failure;
  return {
    status,
    headers: {
      ...headersOf(requestId, 'application/x-amz-json-1.1'),
      'x-amzn-errortype': type,
      ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
    },
    body: JSON.stringify(message === undefined ? { __type: type } : { __type: type, message }),
  };
}

function errorOf({ code, message, details }: Failure): AwsError & { readonly status: number } {
  const mapped = ERRORS[code];
  const { status, type } = mapped;
  const aws = awsErrorIn(details);
  if (aws !== undefined) return { status, ...aws };
  return { status, type, message: SILENT.has(type) ? undefined : (mapped.message ?? message) };
}

/** The headers of every answer. */
export function headersOf(requestId: string, type: string): Readonly<Record<string, string>> {
  return {
    'content-type': type,
    'x-amzn-requestid': requestId,
    'x-request-id': requestId,
    'cache-control': 'no-store',
  };
}
