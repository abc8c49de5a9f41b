// The public surface: the client, what it throws, and the types of its operations.
export { createKmsClient, type KmsClient, type KmsClientOptions } from './client.ts';
export type { CallOptions } from './base/call-options.ts';
export type { BatchOperation, BatchResult } from './batch.ts';
export { type EnvelopeErrorCode, KmsClientError, type KmsClientErrorCode } from './errors/kms-client-error.ts';
export type { ReencryptResult } from './reencrypt-all.ts';
export type { RetryPolicy } from './transport/retry.ts';
export type { TokenSource } from './transport/credential.ts';
export { isUuid } from './wire/uuid.ts';
export {
  type AuthHeaderSource,
  HttpKmsServiceClient,
  type KmsServiceClient,
  type UnwrapKeyInput,
  type WrapKeyInput,
  type WrapKeyResult,
} from './http-kms-service-client.ts';
export type { AlgorithmId, AlgorithmName } from './generated/algorithms.ts';
export type { KmsErrorCode } from './generated/errors.ts';
export type * from './generated/types.ts';
