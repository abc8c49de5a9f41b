import type { Dialect } from '@qnsp/http-edge';
import { dialectContract, type DialectUnderTest } from '@qnsp/http-edge/testing';
import { KmsError } from '@qnsp/kms-core';
import { declareContract } from '@qnsp/kms-core/testing';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { awsKmsDialect } from '../src/index.ts';
import { signedHeaders } from './signed-request.ts';

/** What the answers of AWS KMS stand for; several errors of the core are one there. */
const CODES: Readonly<Record<string, readonly string[]>> = {
  ValidationException: ['BAD_REQUEST', 'IDEMPOTENCY_MISMATCH'],
  SerializationException: ['BAD_REQUEST', 'UNSUPPORTED_MEDIA_TYPE'],
  MissingAuthenticationTokenException: ['UNAUTHORIZED'],
  UnrecognizedClientException: ['UNAUTHORIZED'],
  IncompleteSignatureException: ['UNAUTHORIZED', 'HEADERS_TOO_LARGE'],
  AccessDeniedException: ['FORBIDDEN', 'TENANT_MISMATCH'],
  LimitExceededException: ['QUOTA_EXCEEDED'],
  NotFoundException: ['NOT_FOUND'],
  UnknownOperationException: ['NOT_FOUND', 'METHOD_NOT_ALLOWED'],
  KMSInternalException: ['INTERNAL_ERROR', 'CONFLICT', 'SEALED'],
  KMSInvalidStateException: ['APPROVAL_REQUIRED', 'KEY_STATE_INVALID', 'KEY_USAGE_EXCEEDED'],
  RequestEntityTooLargeException: ['PAYLOAD_TOO_LARGE'],
  InvalidCiphertextException: ['DECRYPT_FAILED'],
  ThrottlingException: ['TOO_MANY_REQUESTS'],
  KeyUnavailableException: ['HSM_UNAVAILABLE'],
  DependencyTimeoutException: ['STORE_UNAVAILABLE', 'AUDIT_UNAVAILABLE'],
};

const ENCRYPT = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'TrentService.Encrypt' };

const aws: DialectUnderTest = {
  dialect: awsKmsDialect({ region: 'us-east-1' }),
  unknownPath: '/nothing',
  encryptPath: () => '/',
  encryptHeaders: ENCRYPT,
  encryptBody: (keyId, plaintext) => JSON.stringify({ KeyId: keyId, Plaintext: plaintext.toString('base64') }),
  credential: (_token, { host, body, accessKey }) =>
    signedHeaders({
      host,
      headers: ENCRYPT,
      body,
      ...(accessKey ?? { accessKeyId: 'AKQNAAISEM2EKVTHPCEZVK54ZXPO74', secretAccessKey: 'A'.repeat(43) }),
    }),
  naming: (tenantId) => ({ 'x-qnsp-tenant': tenantId }),
  codeOf: (_status, body) => {
    const { __type: type, code } = JSON.parse(body) as { readonly __type?: string; readonly code?: string };
    // The other dialect answers at the paths that this one does not have.
    return type === undefined ? (code ?? []) : (CODES[type] ?? type);
  },
};

/** One that has whatever this one does not claim, and has nothing there. */
const other: Dialect = {
  name: 'other',
  source: 'other',
  claims: () => true,
  targetOf: () => {
    throw new KmsError('NOT_FOUND', 'There is nothing.');
  },
  presented: () => ({}),
  perform: () => {
    throw new KmsError('INTERNAL_ERROR', 'Nothing gets so far.');
  },
  problem: ({ code }, { requestId }) => ({
    status: 404,
    headers: { 'content-type': 'application/json', 'x-request-id': requestId },
    body: JSON.stringify({ code }),
  }),
};

for (const [name, subject] of Object.entries({
  'the dialect of AWS KMS': aws,
  'the dialect of AWS KMS, beside another': { ...aws, dialects: [aws.dialect, other] as const },
  'the dialect of AWS KMS, where others are read from the socket': {
    ...aws,
    socketFastPath: true,
    dialects: [aws.dialect, other] as const,
  },
}))
  declareContract(dialectContract(name, subject), { describe, it, beforeAll, afterAll });
