import { KmsError, type KmsErrorCode } from '@qnsp/kms-core';
import { describe, expect, it } from 'vitest';
import { activationProblem, ALL_ROUTES, ERROR_CODES, ERROR_STATUS, itemProblem, problem } from '../src/index.ts';
import { problemSchema } from '../src/errors/errors.ts';

const occurrence = { requestId: 'request-1', timestamp: new Date('2026-01-31T12:00:00Z') };

/** The statuses as the contract states them, spelt out here a second time on purpose. */
const STATUSES: Readonly<Record<number, readonly KmsErrorCode[]>> = {
  400: ['BAD_REQUEST'],
  401: ['UNAUTHORIZED'],
  403: ['FORBIDDEN', 'TENANT_MISMATCH', 'QUOTA_EXCEEDED'],
  404: ['NOT_FOUND'],
  405: ['METHOD_NOT_ALLOWED'],
  409: ['CONFLICT', 'APPROVAL_REQUIRED', 'KEY_STATE_INVALID', 'IDEMPOTENCY_MISMATCH'],
  413: ['PAYLOAD_TOO_LARGE'],
  415: ['UNSUPPORTED_MEDIA_TYPE'],
  422: ['DECRYPT_FAILED', 'KEY_USAGE_EXCEEDED'],
  429: ['TOO_MANY_REQUESTS'],
  431: ['HEADERS_TOO_LARGE'],
  500: ['INTERNAL_ERROR'],
  503: ['HSM_UNAVAILABLE', 'STORE_UNAVAILABLE', 'AUDIT_UNAVAILABLE', 'SEALED'],
};

describe('error answers', () => {
  it('have the status that the contract states, for every code', () => {
    const stated = Object.entries(STATUSES).flatMap(([status, codes]) => codes.map((code) => [code, Number(status)]));
    expect(Object.fromEntries(stated)).toEqual(ERROR_STATUS);
    expect(ERROR_CODES.toSorted()).toEqual(Object.values(STATUSES).flat().toSorted());
  });

  it('have one shape', () => {
    const error = new KmsError('KEY_STATE_INVALID', 'The key is revoked.', {
      details: { state: 'revoked' },
      cause: new Error('inside'),
    });
    expect(problem(error, occurrence)).toEqual({
      statusCode: 409,
      error: 'KEY_STATE_INVALID',
      code: 'KEY_STATE_INVALID',
      message: 'The key is revoked.',
      details: { state: 'revoked' },
      requestId: 'request-1',
      timestamp: '2026-01-31T12:00:00.000Z',
    });
  });

  it('fit their schema, for every code', () => {
    for (const code of ERROR_CODES) {
      const body = problem(new KmsError(code, 'Something went wrong.', { retryAfterSeconds: 2 }), occurrence);
      expect(problemSchema.parse(body)).toEqual(body);
    }
  });

  it('repeat what a rate limit says at the top level', () => {
    const details = { routeId: 'encrypt', limit: 100 };
    expect(
      problem(new KmsError('TOO_MANY_REQUESTS', 'Too many.', { details, retryAfterSeconds: 3 }), occurrence),
    ).toMatchObject({
      details: { routeId: 'encrypt', limit: 100, retryAfter: 3 },
      routeId: 'encrypt',
      limit: 100,
      retryAfter: 3,
    });
  });

  it('keep the details of other errors where they are', () => {
    const body = problem(new KmsError('BAD_REQUEST', 'No.', { details: { routeId: 'x', limit: 5 } }), occurrence);
    expect(body).not.toHaveProperty('routeId');
    expect(body).not.toHaveProperty('limit');
    expect(problem(new KmsError('SEALED', 'No.', { retryAfterSeconds: 5 }), occurrence)).toMatchObject({
      retryAfter: 5,
    });
  });

  it('of an item leave out what belongs to the call', () => {
    expect(itemProblem(new KmsError('DECRYPT_FAILED', 'The ciphertext does not open.'))).toEqual({
      statusCode: 422,
      error: 'DECRYPT_FAILED',
      code: 'DECRYPT_FAILED',
      message: 'The ciphertext does not open.',
    });
  });

  it('have no code that no route documents, but for those of what finds the route', () => {
    const documented = new Set(ALL_ROUTES.flatMap(({ errors }) => errors));
    expect(ERROR_CODES.filter((code) => !documented.has(code))).toEqual(['METHOD_NOT_ALLOWED', 'HEADERS_TOO_LARGE']);
  });
});

describe('errors of the activation handshake', () => {
  it.each<[KmsErrorCode, number, string]>([
    ['UNAUTHORIZED', 401, 'INVALID_API_KEY'],
    ['FORBIDDEN', 403, 'ACCOUNT_SUSPENDED'],
    ['TENANT_MISMATCH', 403, 'ACCOUNT_SUSPENDED'],
    ['TOO_MANY_REQUESTS', 429, 'RATE_LIMITED'],
    ['INTERNAL_ERROR', 503, 'SERVICE_UNAVAILABLE'],
    ['STORE_UNAVAILABLE', 503, 'SERVICE_UNAVAILABLE'],
    ['BAD_REQUEST', 400, 'BAD_REQUEST'],
    ['PAYLOAD_TOO_LARGE', 413, 'BAD_REQUEST'],
  ])('%s is %d %s', (code, status, activationCode) => {
    expect(activationProblem(new KmsError(code, 'No.'))).toEqual({
      status,
      // Published clients show `error` and branch on `code`.
      body: { activated: false, error: 'No.', message: 'No.', code: activationCode },
    });
  });
});
