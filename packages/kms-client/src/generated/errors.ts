// Written by scripts/write-generated.ts from @qnsp/kms-contract: change the contract, then "pnpm run generate".

/** The error codes of the service. */
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
  | 'DECRYPT_FAILED'
  | 'KEY_USAGE_EXCEEDED'
  | 'TOO_MANY_REQUESTS'
  | 'HEADERS_TOO_LARGE'
  | 'INTERNAL_ERROR'
  | 'HSM_UNAVAILABLE'
  | 'STORE_UNAVAILABLE'
  | 'AUDIT_UNAVAILABLE'
  | 'SEALED';
